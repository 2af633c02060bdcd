import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { ORPCError, os } from "@orpc/server"
import { afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { RollcallError } from "../../src/error.ts"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServices, node, type CallEvent, type Services, type ServicesStats } from "../../src/services/index.ts"
import { CallHistograms } from "../../src/services/call-durations.ts"
import { loadOrpc } from "../../src/services/orpc.ts"
import { outcomeOf } from "../../src/services/outcome.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { scrape } from "../support/scrape.ts"
import { serve } from "../support/serve.ts"
import { until } from "../support/until.ts"
import { SeededServices, type ServiceNode } from "./seeded-services.ts"

beforeAll(async () => void (await loadOrpc()))

/** The number of calls by service and outcome. */
const countsOf = (durations: ServicesStats["calls"]): Record<string, number> =>
  Object.fromEntries(durations.map(({ service, outcome, count }) => [`${service} ${outcome}`, count]))

describe("the stats of services", () => {
  /** Two nodes in virtual time; `b` serves. */
  async function pair() {
    const cluster = new SeededServices({ delayMs: [1, 1] })
    const [a, b] = [cluster.start("a"), cluster.start("b")]
    const later = (ms: number): Promise<void> => new Promise((resolve) => b.node.timers.set(resolve, ms))
    b.services.serve("game", {
      after: os.handler(async ({ input }) => later(Number(input))),
      broken: os.handler(() => {
        throw new Error("broken")
      }),
      taken: os.errors({ TAKEN: {} }).handler(({ errors }) => {
        throw errors.TAKEN()
      }),
      stream: os.handler(async function* ({ input }) {
        for (let n = 1; n <= Number(input); n += 1) yield n
        throw new ORPCError("NOT_FOUND")
      }),
    })
    await cluster.run(3_000)
    /** Lets time pass until a promise resolves. */
    const settled = async <Value>(promise: Promise<Value>): Promise<Value> => {
      const pending = new Set([promise])
      void promise.finally(() => pending.clear()).catch(() => undefined)
      while (pending.size > 0) await cluster.run(1)
      return promise
    }
    const ended = (from: ServiceNode, ...call: Parameters<Services["call"]>): Promise<void> =>
      settled(
        from.services
          .call(...call)
          .then(async (output) => {
            if (typeof output !== "object" || output === null) return
            for await (const item of output as AsyncIterable<number>) if (item === 3) return
          })
          .catch(() => undefined),
      )
    return { cluster, a, b, settled, ended }
  }

  test("count calls by service and outcome, where they are made and where they run", async () => {
    const { cluster, a, b, ended } = await pair()
    for (const from of [a, b]) {
      await ended(from, "game", "after", 5)
      await ended(from, "game", "after", 5)
      await ended(from, "game", "broken")
      await ended(from, "game", "taken")
      await ended(from, "game", "none")
      await ended(from, "game", "after", 500, { timeoutMs: 100 })
      const controller = new AbortController()
      from.node.timers.set(() => controller.abort(), 50)
      await ended(from, "game", "after", 500, { signal: controller.signal })
      await ended(from, "nothing", "after")
      await ended(from, "game", "after", 1, { route: () => 7 as never })
      from.services.cast("game", "after", 1)
      await cluster.run(1_000)
    }
    const made = {
      "game ok": 2,
      "game remote_error": 2,
      "game defined_error": 1,
      "game timeout": 1,
      "game aborted": 1,
      "nothing no_instance": 1,
      "game bad_route": 1,
      "game cast": 1,
    }
    expect(countsOf(a.services.stats().calls)).toEqual(made)
    expect(countsOf(b.services.stats().calls)).toEqual(made)
    expect(a.services.stats().handled).toEqual([])
    const { "game ok": ok, ...failed } = countsOf(b.services.stats().handled)
    expect(ok).toBe(6)
    expect(failed).toEqual({
      "game remote_error": 4,
      "game defined_error": 2,
      "game timeout": expect.any(Number),
      "game aborted": expect.any(Number),
    })
    // The caller's abort and the handler's own deadline come at the same time.
    expect(failed["game timeout"]! + failed["game aborted"]!).toBe(4)
    expect(a.services.stats().counters).toMatchObject({ services_calls: 7, services_retries: 0 })
  })

  test("count a stream when it ends, and show it as in flight and as running until then", async () => {
    const { a, b, settled, ended } = await pair()
    const opening = a.services.call<AsyncIterator<number>>("game", "stream", 2)
    const stream = await settled(opening)
    expect(a.services.stats()).toMatchObject({ inFlight: 1, running: 0, calls: [] })
    expect(b.services.stats()).toMatchObject({ inFlight: 0, running: 1, handled: [] })
    void stream.next()
    void stream.next()
    await settled(stream.next()).catch(() => undefined)
    expect(countsOf(a.services.stats().calls)).toEqual({ "game remote_error": 1 })
    expect(countsOf(b.services.stats().handled)).toEqual({ "game remote_error": 1 })
    expect(a.services.stats().inFlight + b.services.stats().running).toBe(0)
    await ended(a, "game", "stream", 100)
    expect(countsOf(a.services.stats().calls)["game ok"]).toBe(1)
  })

  test("measure a call with all its attempts, and a handler by itself", async () => {
    const { a, b, ended } = await pair()
    await ended(a, "game", "after", 200)
    const [made] = a.services.stats().calls
    const [handled] = b.services.stats().handled
    expect(handled!.sumMs).toBeCloseTo(200)
    // There and back again, each a millisecond.
    expect(made!.sumMs).toBeGreaterThan(202)
    const buckets = new Map(made!.atMostMs)
    expect([buckets.get(100), buckets.get(250), buckets.get(30_000)]).toEqual([0, 1, 1])
  })
})

test("services that are called by many names count as other, and those with instances keep theirs", () => {
  const histograms = new CallHistograms()
  for (let n = 0; n < 1_000; n += 1) histograms.add(`user-${n}`, "no_instance", 1)
  for (let n = 0; n < 1_000; n += 1) histograms.add(`game-${n}`, "ok", 1)
  histograms.add("user-1", "ok", 1)
  const counts = countsOf(histograms.report())
  expect(new Set(histograms.report().map(({ service }) => service)).size).toBe(100)
  expect(counts).toMatchObject({ "user-1 no_instance": 1, "user-1 ok": 1, "game-1 ok": 1, "other no_instance": 981 })
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(2_001)
})

test("an outcome is one of a few words, also for an error of another node", () => {
  const controller = new AbortController()
  controller.abort(new Error("enough"))
  const { signal } = controller
  expect(outcomeOf(undefined, signal)).toBe("ok")
  expect(outcomeOf({ error: new RollcallError("timeout", "x") }, signal)).toBe("timeout")
  expect(outcomeOf({ error: new RollcallError("x".repeat(10_000), "x") }, undefined)).toBe("failed")
  expect(outcomeOf({ error: signal.reason }, signal)).toBe("aborted")
  expect(outcomeOf({ error: signal.reason }, undefined)).toBe("failed")
  expect(outcomeOf({ error: new ORPCError("X", { defined: true }) }, undefined)).toBe("defined_error")
  for (const error of [null, undefined, "x", { defined: true }]) expect(outcomeOf({ error }, undefined)).toBe("failed")
})

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

test("diagnostics channels publish each call that has ended, where it was made and where it ran", async () => {
  const bus = new LocalBus()
  const [a, b] = ["a", "b"].map((name) => {
    const pubsub = local({ bus, node: name })
    const services = createServices({ tracker: createTracker({ pubsub }), pubsub })
    closing.push(() => services.close({ drainMs: 0 }))
    return services
  }) as [Services, Services]
  const events: [string, CallEvent][] = []
  for (const name of ["rollcall:services:call", "rollcall:services:handled"]) {
    const listen = (event: unknown): void => void events.push([name.split(":").at(-1)!, event as CallEvent])
    subscribe(name, listen)
    onTestFinished(() => void unsubscribe(name, listen))
  }
  await b.serve("game", { rooms: { create: os.handler(({ input }) => input) } }).ready
  await until(() =>
    a.call("game", "rooms.create", 1).then(
      () => events.length > 0,
      () => false,
    ),
  )
  events.length = 0
  await a.call("game", "rooms.create", 1)
  await a.call("game", "rooms.create", 1, { route: node("c") }).catch(() => undefined)
  const call = { service: "game", method: "rooms.create", ms: expect.any(Number) }
  expect(events).toEqual([
    ["handled", { ...call, node: "b", instance: "game#1@b", outcome: "ok" }],
    ["call", { ...call, node: "a", instance: "game#1@b", outcome: "ok" }],
    ["call", { ...call, node: "a", instance: undefined, outcome: "no_instance" }],
  ])
})

test("a server shows the calls of its services in its stats and its metrics, in seconds", async () => {
  const { server, operations } = await serve(() => undefined, {}, { operations: 0 })
  expect(server.stats().services).toBeUndefined()
  server.services.serve("game", {
    ping: os.handler(() => "pong"),
    broken: os.handler(() => {
      throw new Error("broken")
    }),
  })
  await server.services.call("game", "ping")
  await server.services.call("game", "ping")
  await server.services.call("game", "broken").catch(() => undefined)
  const { calls, handled } = server.stats().services!
  const counts = { "game ok": 2, "game remote_error": 1 }
  expect(countsOf(calls)).toEqual(counts)
  expect(countsOf(handled)).toEqual(counts)
  const series = await scrape(operations)
  for (const [name, durations] of [
    ["rollcall_services_call_seconds", calls],
    ["rollcall_services_handled_seconds", handled],
  ] as const) {
    for (const { service, outcome, count, sumMs } of durations) {
      const labels = `service="${service}",outcome="${outcome}"`
      expect(series.get(`${name}_count{${labels}}`)).toBe(count)
      expect(series.get(`${name}_sum{${labels}}`)).toBeCloseTo(sumMs / 1_000)
      expect(series.get(`${name}_bucket{le="30",${labels}}`) ?? series.get(`${name}_bucket{${labels},le="30"}`)).toBe(
        count,
      )
    }
  }
  expect(series.get("rollcall_services_running")).toBe(0)
  expect(series.get("rollcall_services_in_flight")).toBe(0)
})
