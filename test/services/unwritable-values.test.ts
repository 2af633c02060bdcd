import { ORPCError, os } from "@orpc/server"
import { afterEach, beforeEach, expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServices, node, type Services } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"

const circle: Record<string, unknown> = {}
circle["self"] = circle
class Broken {
  toJSON(): never {
    throw new Error("hunter2")
  }
}

let a: Services
let b: Services
beforeEach(async () => {
  const bus = new LocalBus()
  ;[a, b] = ["a", "b"].map((name) => {
    const pubsub = local({ bus, node: name })
    return createServices({ tracker: createTracker({ pubsub }), pubsub })
  }) as [Services, Services]
  const router = {
    echo: os.handler(({ input }) => input),
    trace: os.handler(({ context }) => (context as { traceparent?: string }).traceparent ?? "none"),
    circularError: os.handler(() => {
      throw new ORPCError("TAKEN", { message: "taken", data: circle })
    }),
    definedCircularError: os.errors({ TAKEN: {} }).handler(() => {
      throw new ORPCError("TAKEN", { defined: true, data: circle })
    }),
    circularStream: os.handler(async function* () {
      yield 1
      throw new ORPCError("TAKEN", { message: "taken", data: circle })
    }),
    broken: os.handler(() => new Broken()),
  }
  const withTrap = Object.defineProperty({ ...router }, "trap", {
    get: () => {
      throw new Error("hunter2")
    },
  })
  await b.serve("game", withTrap).ready
  await until(() =>
    a.call("game", "echo", 1).then(
      () => true,
      () => false,
    ),
  )
})
afterEach(() => Promise.all([a.close({ drainMs: 0 }), b.close({ drainMs: 0 })]))

const codeOf = (calling: Promise<unknown>): Promise<unknown> =>
  calling.then(
    () => "ok",
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )

test.each(["circularError", "definedCircularError"])(
  "an error with data that JSON cannot write reaches its caller without the data: %s",
  async (method) => {
    expect(await codeOf(a.call("game", method))).toBe("remote_error")
  },
)

test("a stream that fails with data that JSON cannot write fails at its consumer, too", async () => {
  const stream = await a.call<AsyncIterator<number>>("game", "circularStream")
  expect(await stream.next()).toEqual({ done: false, value: 1 })
  expect(await codeOf(stream.next())).toBe("remote_error")
})

test("a value whose toJSON throws is an invalid input, and as an output a failure of its handler", async () => {
  expect(await codeOf(a.call("game", "echo", new Broken()))).toBe("config")
  expect(await codeOf(a.call("game", "broken"))).toBe("remote_error")
})

test("a method that throws when it is looked up fails, and counts as running no longer", async () => {
  expect(await codeOf(a.call("game", "trap"))).toBe("remote_error")
  expect(await codeOf(b.call("game", "trap", undefined, { route: node("b") }))).toBe("remote_error")
  expect(b.stats().running).toBe(0)
})

test.each([
  "",
  "x".repeat(1_000),
  "00-\n\u001b[31m-01",
  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nevil",
])("a handler never sees a trace context that is none: %j", async (traceparent) => {
  expect(await a.call("game", "trace", undefined, { traceparent })).toBe("none")
})

test("a handler sees the trace context of another node", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  expect(await a.call("game", "trace", undefined, { traceparent })).toBe(traceparent)
})
