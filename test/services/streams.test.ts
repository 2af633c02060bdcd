import { os } from "@orpc/server"
import { afterEach, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/index.ts"
import { decodeMessage, encodeMessage } from "../../src/services/messages.ts"
import { until } from "../support/until.ts"
import { recording, type Sent } from "./recording-bus.ts"
import { callerAndHost, nodes } from "./two-nodes.ts"

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const endless = (made: { count: number }) => ({
  echo: os.handler(({ input }) => input),
  count: os.handler(async function* ({ input }) {
    for (let n = 1; n <= Number(input); n += 1) {
      made.count = n
      yield n
    }
  }),
})

test.each([1, 2, 7, 2 ** 40, Infinity])("a stream arrives whole with a window of %d items", async (streamWindow) => {
  const { caller, close } = await callerAndHost(endless({ count: 0 }), { limits: { streamWindow } })
  closing.push(close)
  let items = 0
  for await (const item of await caller.services.call<AsyncIterable<number>>("game", "count", 300)) {
    items += 1
    expect(item).toBe(items)
  }
  expect(items).toBe(300)
})

test.each(["caller", "host"] as const)(
  "a consumer at the %s that leaves a stream is no error of the handler",
  async (at) => {
    const given = await callerAndHost(endless({ count: 0 }))
    closing.push(given.close)
    const { host } = given
    const { services } = given[at]
    for (let n = 0; n < 20; n += 1) {
      for await (const item of await services.call<AsyncIterable<number>>("game", "count", 1_000)) {
        if (Number(item) > n) break
      }
    }
    await until(() => host.services.stats().running === 0 && services.stats().inFlight === 0)
    expect(host.errors).toEqual([])
    expect(host.services.stats().counters["services_handler_errors"]).toBe(0)
    expect(host.services.stats().handled.map(({ outcome }) => outcome)).not.toContain("remote_error")
  },
)

test("a caller that allows any number of items does not block the node of the handler", async () => {
  const { start, close } = nodes()
  closing.push(close)
  const made = { count: 0 }
  const sent: Sent[] = []
  let bus: PubSub | undefined
  const attacker = start("attacker", {}, (pubsub) => recording((bus = pubsub), sent))
  const host = start("host")
  await host.services.serve("game", endless(made)).ready
  await until(() =>
    attacker.services.call("game", "echo").then(
      () => true,
      () => false,
    ),
  )
  const { topic } = sent[0]!
  const call = decodeMessage(sent[0]!.bytes)
  let turns = 0
  const next = (): void => {
    turns += 1
    if (made.count < 10_000) setImmediate(next)
  }
  setImmediate(next)
  const more = { n: 1_000, path: ["count"], value: 10_000, credit: Number.MAX_SAFE_INTEGER }
  const message = encodeMessage({ ...(call as Extract<typeof call, { kind: "call" }>), ...more })
  bus!.send("host", topic, message)
  await until(() => made.count === 10_000 && host.services.stats().running === 0)
  expect(turns).toBeGreaterThan(10)
})
