import { os } from "@orpc/server"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { local, LocalBus, type PubSub } from "../../src/pubsub/index.ts"
import { createServices, type Placement, type Services } from "../../src/services/index.ts"
import { decodeMessage } from "../../src/services/messages.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"
import { recording, type Sent } from "./recording-bus.ts"

const SECRET = "0123456789abcdef0123456789abcdef"

const closing: (() => Promise<unknown>)[] = []
const rejections: unknown[] = []
const rejected = (error: unknown): void => void rejections.push(error)
beforeEach(() => {
  rejections.length = 0
  process.on("unhandledRejection", rejected)
})
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
  process.off("unhandledRejection", rejected)
  expect(rejections).toEqual([])
})

/** A caller and a host that serves "game" and places "session", what they have sent, and what the host counts. */
async function pair(secret?: string) {
  const bus = new LocalBus()
  const sent: Sent[] = []
  const counts: Record<string, number> = {}
  const node = (name: string): { services: Services; pubsub: PubSub; sessions: Placement } => {
    const pubsub = local({ bus, node: name })
    const tracker = createTracker({ pubsub })
    const count = (counter: string): void => void (name === "host" && (counts[counter] = (counts[counter] ?? 0) + 1))
    const services = createServices({
      tracker,
      pubsub: recording(pubsub, sent),
      count,
      ...(secret === undefined ? {} : { secret }),
    })
    closing.push(async () => {
      await services.close({ drainMs: 0 })
      await tracker.close()
      await pubsub.close()
    })
    const process = name === "host" ? { start: () => ({}), stop: () => undefined } : undefined
    return { services, pubsub, sessions: services.place("session", process) }
  }
  const [caller, host] = [node("caller"), node("host")]
  await host.services.serve("game", { run: os.handler(({ input }) => input) }).ready
  const call = (input: unknown): Promise<unknown> => caller.services.call("game", "run", input, { timeoutMs: 60_000 })
  const answers = (): Promise<boolean> =>
    call(0).then(
      () => true,
      () => false,
    )
  await until(answers)
  await call(1)
  const toHost = sent.filter(({ to }) => to === "host")
  const request = toHost.at(-1)!
  const refusals = (): number =>
    Object.entries(counts).reduce((sum, [name, n]) => sum + (name.startsWith("services_refused_") ? n : 0), 0)
  return { bus, caller, host, call, request, counts, refusals }
}

/** Bytes made of a real message: cut off, with altered or added bytes, or none of it. */
const damaged = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.nat(bytes.length - 1).map((length) => bytes.slice(0, length)),
    fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, change]) => {
      const changed = bytes.slice()
      changed[at]! ^= change
      return changed
    }),
    fc.uint8Array({ minLength: 1, maxLength: 64 }).map((more) => Uint8Array.from([...bytes, ...more])),
    fc.uint8Array({ maxLength: 200 }),
  )

describe("what is received at the port of a node", () => {
  test("with a secret, is refused and counted once for each message that is not the one that was signed", async () => {
    const { caller, call, request, counts, refusals } = await pair(SECRET)
    await fc.assert(
      fc.asyncProperty(damaged(request.bytes), async (bytes) => {
        const before = refusals()
        caller.pubsub.send("host", request.topic, bytes)
        await until(() => refusals() > before)
        expect(refusals()).toBe(before + 1)
      }),
      { numRuns: 200 },
    )
    expect(Object.keys(counts).filter((name) => name.startsWith("services_refused_"))).toEqual([
      "services_refused_unsigned",
    ])
    expect(await call("after")).toBe("after")
  })

  test("without a secret, is a message or refused and counted once, and breaks nothing", async () => {
    const { caller, call, request, refusals } = await pair()
    const real = decodeMessage(request.bytes)
    if (typeof real === "string") throw new Error(`expected a recorded call, got ${real}`)
    await fc.assert(
      fc.asyncProperty(damaged(request.bytes), async (bytes) => {
        const before = refusals()
        const message = decodeMessage(bytes)
        // One with a later number would make a call that follows look like a repeated or an old one: it is from the caller's own node.
        if (typeof message !== "string" && message.n > real.n) return
        caller.pubsub.send("host", request.topic, bytes)
        if (typeof message !== "string") return
        await until(() => refusals() > before)
        // A message of before that was none of these, such as an altered call, may be refused later.
        expect(refusals()).toBeGreaterThan(before)
      }),
      { numRuns: 300 },
    )
    expect(await call("after")).toBe("after")
  })

  test("the same message many times is refused each time but the first, and is remembered once", async () => {
    const { caller, call, request, counts } = await pair()
    for (let n = 0; n < 500; n += 1) caller.pubsub.send("host", request.topic, request.bytes)
    await until(() => counts["services_refused_replayed"] === 500)
    expect(await call("after")).toBe("after")
  })
})

describe("the decoder of messages", () => {
  const keys = ["v", "kind", "n", "q", "from", "to", "path", "ms", "credit", "value", "types", "error", "why", "trace"]
  const hostile = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(-1, 0.5, 1e308, 2 ** 53, "__proto__", "constructor", [], [[]], [null], {}, { orpc: null }),
  )
  const fields = fc.array(
    fc.tuple(fc.oneof(fc.constantFrom(...keys, "__proto__", "constructor"), fc.string()), hostile),
  )

  test("returns a message of a known kind, or why it is none, whatever the fields are, and never throws", () => {
    const kinds = fc.constantFrom(
      "call",
      "abort",
      "credit",
      "value",
      "error",
      "refusal",
      "item",
      "end",
      "failure",
      "at",
    )
    fc.assert(
      fc.property(kinds, fields, (kind, given) => {
        const parts = [`"v":1`, `"kind":${JSON.stringify(kind)}`, `"n":1`]
        // As text: `__proto__` as a key of an object literal would be lost here, and be tested nowhere.
        for (const [key, value] of given) parts.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`)
        const message = decodeMessage(new TextEncoder().encode(`{${parts.join(",")}}`))
        if (typeof message === "string") {
          expect(["garbage", "version"]).toContain(message)
          return
        }
        expect(Number.isSafeInteger(message.n) && message.n >= 0).toBe(true)
        if (message.kind === "call")
          expect([message.path.every((name) => typeof name === "string"), message.ms > 0]).toEqual([true, true])
        if ("q" in message && message.kind === "item") expect(Number.isSafeInteger(message.q)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
    expect(({} as Record<string, unknown>)["v"]).toBeUndefined()
  })
})

test("no request to a placement, however wrong its fields are, breaks it", async () => {
  const { host, caller } = await pair()
  await until(() => caller.services.list("place:session").length === 2)
  const instance = host.services.list("place:session").find(({ node }) => node === "host")!.id
  const any = fc.oneof(fc.jsonValue(), fc.constantFrom("", "__proto__", "constructor", "x", [], ["x", 1], {}))
  const request = fc.record(
    {
      id: fc.oneof(fc.constantFrom("x", "__proto__", "constructor", ""), any),
      ids: fc.oneof(fc.array(fc.string(), { maxLength: 5 }), any),
      state: any,
      move: any,
      ended: any,
      replaced: fc.oneof(fc.array(fc.string(), { maxLength: 200 }), any),
      method: fc.oneof(fc.constant(["run"]), any),
      input: any,
    },
    { requiredKeys: [] },
  )
  const names = fc.constantFrom(
    "claim",
    "ensure",
    "give",
    "invoke",
    "leave",
    "stop",
    "__proto__",
    "constructor",
    "toString",
  )
  await fc.assert(
    fc.asyncProperty(names, fc.oneof(request, any), async (name, input) => {
      const route = (instances: readonly { id: string }[]) => instances.find(({ id }) => id === instance)!
      const answer = caller.services.call("place:session", [name], input, {
        route: route as never,
        timeoutMs: 60_000,
        retries: 0,
      })
      await answer.catch((error: unknown) => expect((error as { code?: unknown }).code).toBeTypeOf("string"))
    }),
    { numRuns: 300 },
  )
  expect(await caller.sessions.ensure("after", { timeoutMs: 60_000 })).toMatchObject({ node: "host" })
  expect(await caller.sessions.stop("after", { timeoutMs: 60_000 })).toBe(true)
})
