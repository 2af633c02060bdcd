import type { Timers } from "../timers.ts"
import type { Abortable } from "./cancellation.ts"
import type { CallDurations } from "./call-durations.ts"
import { CallHistograms } from "./call-durations.ts"
import { loadCallEvents } from "./call-events.ts"
import type { CallEvents } from "./call-events.ts"
import { outcomeOf } from "./outcome.ts"
import type { Failure } from "./outcome.ts"
import { loadTrace } from "./trace.ts"
import type { CallSpan, SpanOf, Trace } from "./trace.ts"

/** A call, one of its attempts, or the run of its handler, while it is running. */
export interface ObservedCall {
  /** Its W3C trace context; `undefined` if it is not traced. */
  readonly traceparent: string | undefined
  readonly span: CallSpan | undefined
  /** Ends it, with its failure if it failed. */
  ended(failure?: Failure): void
}

/** What is observed. */
export interface ObservedOptions {
  readonly service: string
  readonly method: string
  readonly signal: Abortable | undefined
  readonly traceparent: string | undefined
}

/** Measures calls: their durations by service and outcome, an event for each one, and spans if OpenTelemetry is there. */
export class ObservedCalls {
  readonly #node: string
  readonly #timers: Timers
  readonly #made = new CallHistograms()
  readonly #handled = new CallHistograms()
  #events: CallEvents | undefined
  #trace: Trace | undefined

  constructor(node: string, timers: Timers) {
    this.#node = node
    this.#timers = timers
    void loadTrace().then((trace) => (this.#trace = trace))
    void loadCallEvents().then((events) => (this.#events = events))
  }

  /** Begins a call of this node, with all its attempts. */
  call({ service, method, signal, traceparent }: ObservedOptions, outcomeOfSuccess = "ok"): MadeCall {
    const begun = this.#timers.now()
    const span = this.#trace?.begin({ kind: "call", service, method }, traceparent)
    const made: MadeCall = {
      span,
      traceparent: span?.traceparent ?? traceparent,
      instance: undefined,
      ended: (failure) => {
        const ms = this.#timers.now() - begun
        const outcome = failure === undefined ? outcomeOfSuccess : outcomeOf(failure, signal)
        this.#made.add(service, outcome, ms)
        this.#events?.made(() => ({ node: this.#node, service, method, instance: made.instance, outcome, ms }))
        span?.end(outcome, failure)
      },
    }
    return made
  }

  /** Begins one attempt of a call. Only spans show attempts. */
  attempt(call: ObservedCall, of: Omit<SpanOf, "kind">, signal: Abortable): ObservedCall {
    const { traceparent } = call
    const span = this.#trace?.begin({ kind: "attempt", ...of }, call.span ?? traceparent)
    if (span === undefined) return { traceparent, span, ended: () => undefined }
    return { traceparent: span.traceparent, span, ended: (failure) => span.end(outcomeOf(failure, signal), failure) }
  }

  /** Begins the run of a handler on this node. */
  handler({ service, method, signal, traceparent }: ObservedOptions, instance: string, caller: string): ObservedCall {
    const begun = this.#timers.now()
    const span = this.#trace?.begin({ kind: "handler", service, method, instance, peer: caller }, traceparent ?? null)
    return {
      span,
      traceparent,
      ended: (failure) => {
        const ms = this.#timers.now() - begun
        const outcome = outcomeOf(failure, signal)
        this.#handled.add(service, outcome, ms)
        this.#events?.handled(() => ({ node: this.#node, service, method, instance, outcome, ms }))
        span?.end(outcome, failure)
      },
    }
  }

  /** Returns the durations of the calls that this node made, and of those that it handled. */
  report(): { readonly calls: readonly CallDurations[]; readonly handled: readonly CallDurations[] } {
    return { calls: this.#made.report(), handled: this.#handled.report() }
  }
}

/** A call of this node, while it is running. */
export interface MadeCall extends ObservedCall {
  /** The id of the instance that was called last. */
  instance: string | undefined
}
