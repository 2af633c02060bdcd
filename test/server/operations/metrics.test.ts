import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, expectTypeOf, onTestFinished, test } from "vitest"
import type { DropReason } from "../../../src/pubsub/pubsub.ts"
import type { ServerContext } from "../../../src/server/channel/server-context.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Endpoint, Meter } from "../../../src/server/index.ts"
import { Counters } from "../../../src/server/operations/counters.ts"
import { DROPS, DURATIONS, GAUGES, SIZES, TRAFFIC } from "../../../src/server/operations/metrics.ts"
import type { CounterName } from "../../../src/server/operations/metrics.ts"
import { metricsOf } from "../../../src/server/operations/exposition.ts"
import type { TrackerCounter } from "../../../src/tracker/counter-names.ts"

describe("the name of a counter", () => {
  test("has to be in the list, wherever this package counts", () => {
    expectTypeOf<ServerContext["count"]>().parameter(0).toEqualTypeOf<CounterName>()
    expectTypeOf<Counters["count"]>().parameter(0).toEqualTypeOf<CounterName>()
    expectTypeOf<"joined">().not.toExtend<CounterName>()
  })

  test("is in the list for every reason that the bus and the tracker count by", () => {
    expectTypeOf<`bus_${DropReason}`>().toExtend<CounterName>()
    expectTypeOf<TrackerCounter>().toExtend<CounterName>()
  })

  test("may be any text for a transport or a meter of an application", () => {
    expectTypeOf<Endpoint["count"]>().parameter(0).toEqualTypeOf<string>()
    expectTypeOf<Meter["count"]>().parameter(0).toEqualTypeOf<string>()
    const server = createServer()
    onTestFinished(() => server.close())
    server.endpoint.count("sse_overflows", 2)
    expect(server.stats().counters).toMatchObject({ sse_overflows: 2 })
    const drops = metricsOf(server.stats()).find(({ name }) => name === "rollcall_drops_total")
    expect(drops?.values).toContainEqual({ labels: { reason: "sse_overflows" }, value: 2 })
  })

  test("is used somewhere in the source, or is one that the bus, the tracker or the services put together", () => {
    const files = readdirSync("src", { recursive: true, encoding: "utf8" })
    const others = files.filter((name) => name.endsWith(".ts") && !name.endsWith("operations/metrics.ts"))
    const source = others.map((name) => readFileSync(`src/${name}`, "utf8")).join("\n")
    const reasons = ["bus_", "tracker_refused_", "services_refused_"].flatMap((family) =>
      Object.keys(DROPS).flatMap((name) => (name.startsWith(family) ? [[name, name.slice(family.length)]] : [])),
    )
    const texts = new Map(reasons as [string, string][])
    const isUsed = (name: string): boolean =>
      [name, texts.get(name)].some((text) => text !== undefined && source.includes(`"${text}"`))
    const names = Object.keys({ ...TRAFFIC, ...DROPS, ...SIZES })
    expect(names.filter((name) => !isUsed(name))).toEqual([])
  })
})

test("every metric has one name and a sentence of help", () => {
  const lists = [TRAFFIC, DROPS, SIZES, GAUGES, DURATIONS]
  const names = lists.flatMap((list) => Object.keys(list))
  expect(names).toEqual([...new Set(names)])
  for (const sentence of lists.flatMap((list) => Object.values<string>(list))) expect(sentence).toMatch(/^[A-Z01].+\.$/)
})

test("every counter is reported as 0 before its first count", () => {
  const counters = new Counters(undefined, () => undefined).counters()
  const names = Object.keys({ ...TRAFFIC, ...DROPS })
  expect(counters).toEqual(Object.fromEntries(names.map((name) => [name, 0])))
})
