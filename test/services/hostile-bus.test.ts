import { os } from "@orpc/server"
import fc from "fast-check"
import { afterEach, describe, expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServices, type ServicesOptions } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"
import { recording, type Sent } from "./recording-bus.ts"

const SECRET = "0123456789abcdef0123456789abcdef"
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

/** A node on a bus of one process, what it sends to others, and what its services count. */
function nodeOn(bus: LocalBus, name: string, options: Partial<ServicesOptions> = {}) {
  const pubsub = local({ bus, node: name })
  const sent: Sent[] = []
  const tracker = createTracker({ pubsub })
  const counts: Record<string, number> = {}
  const services = createServices({
    tracker,
    pubsub: recording(pubsub, sent),
    count: (counter) => void (counts[counter] = (counts[counter] ?? 0) + 1),
    ...options,
  })
  closing.push(async () => {
    await services.close({ drainMs: 0 })
    await tracker.close()
    await pubsub.close()
  })
  return { pubsub, services, sent, counts }
}

/** A caller and a host of the service "game", which have exchanged a call. */
async function pair(callerOptions: Partial<ServicesOptions> = {}, hostOptions = callerOptions) {
  const bus = new LocalBus()
  const caller = nodeOn(bus, "caller", callerOptions)
  const host = nodeOn(bus, "host", hostOptions)
  const runs: unknown[] = []
  const aborts: unknown[] = []
  const served = host.services.serve("game", {
    run: os.handler(({ input }) => {
      runs.push(input)
      return input
    }),
    hang: os.handler(({ signal, input }) => {
      runs.push(input)
      return new Promise((_, reject) =>
        signal!.addEventListener("abort", () => {
          aborts.push(input)
          reject(new Error("aborted"))
        }),
      )
    }),
  })
  await served.ready
  const call = (method: string, input: unknown, timeoutMs = 60_000): Promise<unknown> =>
    caller.services.call("game", method, input, { timeoutMs })
  const listed = (): boolean => caller.services.list("game").length === 1
  await until(listed)
  return { bus, caller, host, served, runs, aborts, call }
}

const sees = (call: () => Promise<unknown>): Promise<void> =>
  until(() =>
    call().then(
      () => true,
      () => false,
    ),
  )

describe("with a secret", () => {
  test("nodes with the same one call each other", async () => {
    const { call, runs } = await pair({ secret: SECRET })
    await sees(() => call("run", 1))
    expect(await call("run", 2)).toBe(2)
    expect(runs).toContain(2)
  })

  test.each([
    ["none", {}],
    ["another", { secret: SECRET.replace("0", "1") }],
  ])("a call of a node with %s is dropped and counted, and does not run", async (_, options) => {
    const { call, host, runs } = await pair(options, { secret: SECRET })
    // A call may time out before it is sent: on a busy machine 30 ms are over before the next turn of the event loop.
    await until(async () => {
      await expect(call("run", 1, 30)).rejects.toThrow()
      return (host.counts["services_refused_unsigned"] ?? 0) > 0
    })
    expect(runs).toEqual([])
  })

  test("an answer without the signature is dropped and counted by the caller", async () => {
    const { call, caller, host } = await pair({ secret: SECRET })
    await sees(() => call("run", 1))
    const answer = host.sent.at(-1)!
    host.pubsub.send(answer.to, answer.topic, answer.bytes.subarray(32))
    await until(() => caller.counts["services_refused_unsigned"] === 1)
  })

  test("a recorded call runs no second time: not from its node, from another one, at another instance, or changed", async () => {
    const { bus, call, caller, host, runs } = await pair({ secret: SECRET })
    await sees(() => call("run", 1))
    runs.length = 0
    await call("run", "once")
    const { to, topic, bytes } = caller.sent.at(-1)!
    caller.pubsub.send(to, topic, bytes)
    await until(() => host.counts["services_refused_replayed"] === 1)

    const thief = local({ bus, node: "thief" })
    closing.push(() => thief.close())
    thief.send(to, topic, bytes)
    const changed = bytes.slice()
    changed[changed.length - 3]! ^= 1
    caller.pubsub.send(to, topic, changed)
    await until(() => host.counts["services_refused_unsigned"] === 2)

    const other = nodeOn(bus, "other", { secret: SECRET })
    const ran: unknown[] = []
    await other.services.serve("game", { run: os.handler(({ input }) => void ran.push(input)) }).ready
    await until(async () => {
      let answered = 0
      for await (const { error } of caller.services.callAll("game", "run", "all"))
        answered += error === undefined ? 1 : 0
      return answered === 2
    })
    const ports = new Set(caller.sent.filter((sent) => sent.to === "other").map((sent) => sent.topic))
    for (const port of ports) caller.pubsub.send("other", port, bytes)
    await until(() => (other.counts["services_refused_unsigned"] ?? 0) >= ports.size)
    expect(runs.filter((input) => input === "once")).toEqual(["once"])
    expect(ran).not.toContain("once")
  })

  test("must have at least 32 bytes", () => {
    for (const secret of ["", "short", "x".repeat(31), 7 as never]) {
      expect(() => createServices({ tracker: createTracker(), secret })).toThrow(
        expect.objectContaining({ code: "config" }),
      )
    }
  })
})

describe("without a secret", () => {
  test("a message that the bus doubles does nothing twice", async () => {
    const { call, caller, host, runs } = await pair()
    await sees(() => call("run", 1))
    await call("run", "once")
    const [request, answer] = [caller.sent.at(-1)!, host.sent.at(-1)!]
    caller.pubsub.send(request.to, request.topic, request.bytes)
    host.pubsub.send(answer.to, answer.topic, answer.bytes)
    await until(() => host.counts["services_refused_replayed"] === 1 && caller.counts["services_refused_late"] === 1)
    expect(runs.filter((input) => input === "once")).toEqual(["once"])
  })

  test("an abort that overtakes its call keeps the call from running", async () => {
    const { call, caller, host, runs } = await pair()
    await sees(() => call("run", 1))
    const { to, topic, bytes } = caller.sent.at(-1)!
    const message = JSON.parse(new TextDecoder().decode(bytes)) as { from: string; n: number }
    const send = (more: object): void =>
      caller.pubsub.send(
        to,
        topic,
        new TextEncoder().encode(JSON.stringify({ ...message, n: message.n + 1000, ...more })),
      )
    send({ kind: "abort" })
    send({ value: "too late" })
    await until(() => host.counts["services_refused_replayed"] === 1)
    expect(runs).not.toContain("too late")
  })

  test("another node can neither abort a call nor answer it", async () => {
    const { bus, call, caller, host, runs, aborts } = await pair()
    await sees(() => call("run", 1))
    const calling = call("hang", "long")
    await until(() => runs.includes("long"))
    const { topic, bytes } = caller.sent.at(-1)!
    const { from, n } = JSON.parse(new TextDecoder().decode(bytes)) as { from: string; n: number }
    const thief = local({ bus, node: "thief" })
    closing.push(() => thief.close())
    const send = (to: string, topic: string, message: object): void =>
      thief.send(to, topic, new TextEncoder().encode(JSON.stringify({ v: 1, n, ...message })))
    send("host", topic, { kind: "abort", from })
    send("caller", `services:${from}`, { kind: "value", value: "forged" })
    await until(() => caller.counts["services_refused_late"] === 1)
    expect(aborts).toEqual([])
    host.services.list("game")
    await host.services.close({ drainMs: 0 })
    await expect(calling).rejects.toMatchObject({ code: "instance_gone" })
  })

  test("messages of another version, and those that are no messages, are dropped and counted", async () => {
    const { call, caller, host } = await pair()
    await sees(() => call("run", 1))
    const { to, topic } = caller.sent.at(-1)!
    const send = (text: string | Uint8Array): void =>
      caller.pubsub.send(to, topic, typeof text === "string" ? new TextEncoder().encode(text) : text)
    send(`{"v":2,"kind":"call"}`)
    await until(() => host.counts["services_refused_version"] === 1)
    const garbage = [
      "",
      "x",
      "null",
      "[]",
      "{}",
      `{"v":"1"}`,
      `{"v":1}`,
      `{"v":1,"kind":"absent","n":1}`,
      new Uint8Array([0xff, 0xfe]),
    ]
    for (const text of garbage) send(text)
    await until(() => host.counts["services_refused_garbage"] === garbage.length)
    send(new Uint8Array(2_000_000).fill(0x20))
    await until(() => host.counts["services_refused_oversize"] === 1)
    expect(await call("run", 2)).toBe(2)
  })

  test("no message, however it is damaged, throws into the bus, or keeps later calls from being answered", async () => {
    const { call, caller, host } = await pair()
    await sees(() => call("run", 1))
    const errors: unknown[] = []
    const failed = (error: unknown): void => void errors.push(error)
    process.on("unhandledRejection", failed)
    closing.push(async () => process.off("unhandledRejection", failed))
    const [request, answer] = [caller.sent.at(-1)!, host.sent.at(-1)!]
    const kinds = [
      "call",
      "abort",
      "credit",
      "value",
      "error",
      "refusal",
      "stream",
      "item",
      "end",
      "failure",
      "at",
      "unknown",
    ]
    const fields = fc.record(
      {
        kind: fc.oneof(fc.constantFrom(...kinds), fc.jsonValue()),
        n: fc.oneof(fc.nat(50), fc.jsonValue()),
        q: fc.oneof(fc.nat(5), fc.jsonValue()),
        from: fc.oneof(fc.constant("abc"), fc.jsonValue()),
        to: fc.oneof(fc.constant("game#1@host"), fc.jsonValue()),
        path: fc.oneof(
          fc.constant(["run"]),
          fc.array(fc.constantFrom("run", "constructor", "__proto__", "~orpc", "")),
          fc.jsonValue(),
        ),
        ms: fc.oneof(fc.constant(1000), fc.jsonValue()),
        credit: fc.oneof(fc.nat(5), fc.jsonValue()),
        value: fc.jsonValue(),
        types: fc.oneof(fc.array(fc.array(fc.oneof(fc.nat(8), fc.string()))), fc.jsonValue()),
        error: fc.oneof(
          fc.record({ code: fc.string(), message: fc.string(), reason: fc.jsonValue() }),
          fc.record({ orpc: fc.jsonValue() }),
          fc.jsonValue(),
        ),
        why: fc.oneof(fc.constant("draining"), fc.jsonValue()),
        trace: fc.oneof(fc.string(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fields, async (message) => {
        const bytes = new TextEncoder().encode(JSON.stringify({ v: 1, ...message }))
        caller.pubsub.send(request.to, request.topic, bytes)
        host.pubsub.send(answer.to, answer.topic, bytes)
        await Promise.resolve()
      }),
      { numRuns: 2000 },
    )
    expect(await call("run", 2)).toBe(2)
    expect(errors).toEqual([])
  })
})
