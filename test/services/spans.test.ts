import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api"
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-node"
import { os } from "@orpc/server"
import { z } from "zod"
import { afterAll, afterEach, beforeEach, expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServices, node, type Services } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"
import { linked } from "../support/linked.ts"
import { skippingTimers, type SkippingTimers } from "../support/skipping-timers.ts"

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
afterAll(() => provider.shutdown())

const base = os.$meta<{ idempotent?: boolean }>({})
let failures = 0
const router = {
  double: os.handler(({ input }) => 2 * Number(input)),
  flaky: base.meta({ idempotent: true }).handler(() => {
    if ((failures -= 1) >= 0) return new Promise(() => undefined)
    return "ok"
  }),
  spanId: os.handler(() => trace.getActiveSpan()?.spanContext().spanId),
  taken: os.errors({ TAKEN: { data: z.string() } }).handler(({ errors }) => {
    throw errors.TAKEN({ data: "by ada" })
  }),
  broken: os.handler(() => {
    throw new Error("hunter2")
  }),
  ticks: os.handler(async function* () {
    yield trace.getActiveSpan()?.spanContext().spanId
    yield trace.getActiveSpan()?.spanContext().spanId
  }),
  breaking: os.handler(async function* () {
    yield 1
    throw new Error("hunter2")
  }),
}

let a: Services
let b: Services
let timers: SkippingTimers
beforeEach(async () => {
  const bus = new LocalBus()
  timers = skippingTimers()
  ;[a, b] = ["a", "b"].map((name) => {
    const pubsub = local({ bus, node: name })
    return createServices({ tracker: createTracker({ pubsub }), pubsub, timers })
  }) as [Services, Services]
  await a.serve("game", router).ready
  await b.serve("game", router).ready
  // The package is loaded in the background, and each node sees the other's port after a heartbeat.
  for (const [from, to] of [
    [a, "b"],
    [b, "a"],
    [a, "a"],
  ] as const) {
    await until(async () => {
      exporter.reset()
      await from.call("game", "double", 1, { route: node(to) }).catch(() => undefined)
      return spans().length === 3
    })
  }
  exporter.reset()
  failures = 0
})
afterEach(async () => {
  await Promise.all([a.close({ drainMs: 0 }), b.close({ drainMs: 0 })])
  exporter.reset()
})

const spans = (): ReadableSpan[] => exporter.getFinishedSpans()
const ofKind = (kind: SpanKind): ReadableSpan[] => spans().filter((span) => span.kind === kind)
const only = (kind: SpanKind): ReadableSpan => {
  expect(ofKind(kind)).toHaveLength(1)
  return ofKind(kind)[0]!
}
const idOf = (span: ReadableSpan): string => span.spanContext().spanId
const parentOf = (span: ReadableSpan): string | undefined => span.parentSpanContext?.spanId

/** Runs a function in a span of the program, and returns that span's ids. */
async function within(run: () => Promise<unknown>): Promise<{ readonly traceId: string; readonly spanId: string }> {
  const span = trace.getTracer("program").startSpan("request")
  await context.with(trace.setSpan(context.active(), span), run).catch(() => undefined)
  return span.spanContext()
}

test.each(["a", "b"])(
  "a call has a span under the active one, its attempt a client span, its handler on node %s a server span",
  async (to) => {
    const request = await within(() => a.call("game", "double", 1, { route: node(to) }))
    const [call, attempt, handler] = [SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER].map(only) as [
      ReadableSpan,
      ReadableSpan,
      ReadableSpan,
    ]
    for (const span of spans()) {
      expect(span.spanContext().traceId).toBe(request.traceId)
      expect(span.name).toBe("game/double")
      expect(span.status.code).toBe(SpanStatusCode.UNSET)
      expect(span.attributes).toMatchObject({
        "rpc.system.name": "rollcall",
        "rpc.method": "game/double",
        "rpc.response.status_code": "ok",
      })
    }
    expect([parentOf(call), parentOf(attempt), parentOf(handler)]).toEqual([request.spanId, idOf(call), idOf(attempt)])
    const instance = { "rollcall.instance": `game#1@${to}` }
    expect(attempt.attributes).toMatchObject({ "server.address": to, ...instance })
    expect(handler.attributes).toMatchObject({ "client.address": "a", ...instance })
  },
)

test("the span of its handler is active in a handler, also between the items of a stream", async () => {
  const seen = await b.call("game", "spanId", undefined, { route: node("a") })
  expect(seen).toBe(idOf(only(SpanKind.SERVER)))
  exporter.reset()
  const items: unknown[] = []
  for await (const item of await b.call<AsyncIterable<unknown>>("game", "ticks", undefined, { route: node("a") }))
    items.push(item)
  await until(() => spans().length === 3)
  expect(items).toEqual(Array(2).fill(idOf(only(SpanKind.SERVER))))
})

test("each retry is a client span of its own under the span of the call", async () => {
  failures = 2
  const calling = a.call("game", "flaky", undefined, { timeoutMs: 500_000, retries: 4 })
  // Each attempt has an equal share of the time that is left.
  for (const left of [1, 0]) {
    await until(() => failures === left)
    timers.skip(100_000)
  }
  await calling
  const call = only(SpanKind.INTERNAL)
  const attempts = ofKind(SpanKind.CLIENT)
  expect(attempts.map(parentOf)).toEqual(Array(3).fill(idOf(call)))
  expect(attempts.map(({ attributes }) => attributes["error.type"])).toEqual(["timeout", "timeout", undefined])
  expect(attempts.map(({ attributes }) => attributes["rollcall.retries"])).toEqual([undefined, 1, 2])
  expect(call.attributes["rpc.response.status_code"]).toBe("ok")
  await until(() => ofKind(SpanKind.SERVER).length === 3)
  expect(new Set(ofKind(SpanKind.SERVER).map(parentOf))).toEqual(new Set(attempts.map(idOf)))
})

test("the calls that a handler makes are in the trace of its caller", async () => {
  b.serve("outer", { run: os.handler(() => b.call("game", "double", 1, { route: node("a") })) })
  await until(async () => a.list("outer").length === 1 && !a.list("outer")[0]!.draining)
  await until(async () => {
    exporter.reset()
    await within(() => a.call("outer", "run"))
    return spans().length === 6
  })
  const outer = ofKind(SpanKind.SERVER).find(({ name }) => name === "outer/run")!
  const inner = ofKind(SpanKind.INTERNAL).find(({ name }) => name === "game/double")!
  expect(parentOf(inner)).toBe(idOf(outer))
  expect(new Set(spans().map((span) => span.spanContext().traceId)).size).toBe(1)
})

const remote = (method: string, got: string): string =>
  linked(`expected game.${method} to succeed, got ${got}`, "remote_error")

test.each([
  ["taken", "defined_error", "TAKEN"],
  ["broken", "remote_error", remote("broken", "INTERNAL_SERVER_ERROR: Internal Server Error")],
  ["hasOwnProperty", "remote_error", remote("hasOwnProperty", "NOT_FOUND: no such method")],
])("an error is shown by all spans of a call: %s", async (method, outcome, message) => {
  await within(() => a.call("game", method, undefined, { route: node("b") }))
  expect(spans()).toHaveLength(3)
  for (const span of spans()) {
    expect(span.attributes).toMatchObject({ "error.type": outcome, "rpc.response.status_code": outcome })
    expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message })
  }
  // What the handler threw is shown where it runs, and nowhere else.
  const shown = ({ events }: ReadableSpan): boolean => JSON.stringify(events).includes("hunter2")
  expect(spans().filter(shown)).toEqual(method === "broken" ? [only(SpanKind.SERVER)] : [])
  expect(only(SpanKind.SERVER).name).toBe(method === "hasOwnProperty" ? "game/_OTHER" : `game/${method}`)
})

test("a call without an instance, a stream that breaks, a cast and callAll have spans, too", async () => {
  await within(() => a.call("nothing", "double"))
  expect(only(SpanKind.INTERNAL).attributes["error.type"]).toBe("no_instance")
  exporter.reset()
  await within(async () => {
    for await (const _ of await a.call<AsyncIterable<unknown>>("game", "breaking", undefined, { route: node("b") }));
  })
  await until(() => spans().length === 3)
  for (const span of spans()) expect(span.attributes["error.type"]).toBe("remote_error")
  exporter.reset()
  a.cast("game", "double", 1, { route: node("b") })
  await until(() => spans().length === 3)
  expect(parentOf(only(SpanKind.SERVER))).toBe(idOf(only(SpanKind.CLIENT)))
  exporter.reset()
  for await (const _ of a.callAll("game", "double", 1));
  await until(() => spans().length === 6)
  expect(ofKind(SpanKind.CLIENT).map(({ attributes }) => attributes["server.address"])).toEqual(["a", "b"])
})

test("an explicit traceparent is the parent, and its trace travels", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  await a.call("game", "double", 1, { route: node("b"), traceparent })
  for (const span of spans()) expect(span.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c")
  expect(parentOf(only(SpanKind.INTERNAL))).toBe("b7ad6b7169203331")
})
