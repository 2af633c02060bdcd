/** Takes the W3C trace context of this node's callers to those of other nodes. */
export interface Trace {
  /** Returns the `traceparent` of the active span; `undefined` if there is none. */
  active(): string | undefined
  /** Runs a function with a `traceparent` as the active span. */
  within<Result>(traceparent: string, run: () => Result): Result
}

/** Loads `@opentelemetry/api`, if the program has it. */
export async function loadTrace(): Promise<Trace | undefined> {
  const api = await import("@opentelemetry/api").catch(() => undefined)
  if (api === undefined) return undefined
  const { context, propagation } = api
  return {
    active() {
      const carrier: { traceparent?: string } = {}
      propagation.inject(context.active(), carrier)
      return carrier.traceparent
    },
    within: (traceparent, run) => context.with(propagation.extract(context.active(), { traceparent }), run),
  }
}
