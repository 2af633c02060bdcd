import { AsyncLocalStorage } from "node:async_hooks"
import { context, propagation, ROOT_CONTEXT, type Context } from "@opentelemetry/api"
import { os } from "@orpc/server"
import { afterAll, beforeAll, expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/index.ts"
import { createServices } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
const key = Symbol("traceparent")

// What an OpenTelemetry SDK registers: contexts that follow asynchronous code, and a propagator.
const storage = new AsyncLocalStorage<Context>()
beforeAll(() => {
  context.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, run, that, ...args) => storage.run(active, () => run.apply(that, args)),
    bind: (_, target) => target,
    enable() {
      return this
    },
    disable() {
      return this
    },
  })
  propagation.setGlobalPropagator({
    inject(active, carrier, setter) {
      const value = active.getValue(key)
      if (value !== undefined) setter.set(carrier, "traceparent", String(value))
    },
    extract: (active, carrier, getter) => active.setValue(key, getter.get(carrier, "traceparent")),
    fields: () => ["traceparent"],
  })
})
afterAll(() => {
  context.disable()
  propagation.disable()
})

test("the active trace of a caller is that of the handler, on the same node and on another one", async () => {
  const bus = new LocalBus()
  const [a, b] = ["a", "b"].map((node) => {
    const pubsub = local({ bus, node })
    return createServices({ tracker: createTracker({ pubsub }), pubsub })
  })
  a!.serve("game", {
    trace: os.handler(({ context: given }) => [
      (given as { traceparent?: string }).traceparent,
      context.active().getValue(key),
    ]),
  })
  for (const services of [a!, b!]) {
    const call = (): Promise<unknown> => services.call("game", "trace")
    await until(() =>
      call().then(
        () => true,
        () => false,
      ),
    )
    // The package is loaded in the background.
    await until(async () => {
      const traced = await context.with(ROOT_CONTEXT.setValue(key, TRACEPARENT), call)
      return JSON.stringify(traced) === JSON.stringify([TRACEPARENT, TRACEPARENT])
    })
    expect(await call()).toEqual([undefined, undefined])
  }
  for (const services of [b!, a!]) await services.close({ drainMs: 0 })
})
