import type { Span } from "@opentelemetry/api"
import type { Failure } from "./outcome.ts"

/** What a span is about. */
export interface SpanOf {
  /**
   * A `call` with all its attempts, one `attempt` to call an instance, or the run of its `handler`. OpenTelemetry's kinds for
   * these are internal, client and server.
   */
  readonly kind: "call" | "attempt" | "handler"
  readonly service: string
  readonly method: string
  /** The id of the instance. */
  readonly instance?: string
  /** The node of the instance, or the node that calls it. */
  readonly peer?: string
  /** The number of attempts before this one. */
  readonly retries?: number
}

/** A span of OpenTelemetry that is running. */
export interface CallSpan {
  /** Its W3C trace context, for another node. */
  readonly traceparent: string | undefined
  /** Runs a function with it as the active span. */
  within<Result>(run: () => Result): Result
  end(outcome: string, failure?: Failure): void
}

/** Makes spans of calls by OpenTelemetry's conventions for RPC, and passes the trace context on. */
export interface Trace {
  /**
   * Begins a span; `undefined` if nothing is to be traced. The parent is another span, or the `traceparent` of one; by default the active span.
   * @param parent `null` for none
   */
  begin(of: SpanOf, parent?: CallSpan | string | null): CallSpan | undefined
}

/** Whether a text is a W3C `traceparent`. Another node can send anything, and handlers may log it. */
export function isTraceparent(text: string | undefined): boolean {
  return text !== undefined && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{0,200})?$/.test(text)
}

/** Loads `@opentelemetry/api`, if the program has it. Without an SDK, its spans do nothing. */
export async function loadTrace(): Promise<Trace | undefined> {
  const api = await import("@opentelemetry/api").catch(() => undefined)
  if (api === undefined) return undefined
  const { context, propagation, ProxyTracerProvider, trace, SpanKind, SpanStatusCode } = api
  const kinds = { call: SpanKind.INTERNAL, attempt: SpanKind.CLIENT, handler: SpanKind.SERVER }
  const tracer = trace.getTracer("rollcall")
  const contexts = new WeakMap<CallSpan, ReturnType<typeof context.active>>()

  const parentOf = (parent: CallSpan | string | null | undefined): ReturnType<typeof context.active> => {
    if (parent === undefined) return context.active()
    // A message of another node may be handled within the span that opened the connection to the bus.
    if (parent === null) return trace.deleteSpan(context.active())
    if (typeof parent === "string") return propagation.extract(context.active(), { traceparent: parent })
    return contexts.get(parent) ?? context.active()
  }

  const end = (span: Span, outcome: string, failure: Failure | undefined): void => {
    if (span.isRecording()) {
      span.setAttribute("rpc.response.status_code", outcome)
      if (failure !== undefined) {
        const { error, cause = error } = failure
        span.setAttribute("error.type", outcome)
        if (cause instanceof Error) span.recordException(cause)
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : outcome })
      }
    }
    span.end()
  }

  /** Passes the trace context on where no SDK makes spans: a propagator may be registered all the same. */
  const pass = (kind: SpanOf["kind"], parent: CallSpan | string | null | undefined): CallSpan | undefined => {
    const given = givenBy(parent)
    if (kind === "handler") {
      if (given === undefined) return undefined
      const inner = propagation.extract(context.active(), { traceparent: given })
      return { traceparent: given, within: (run) => context.with(inner, run), end: () => undefined }
    }
    if (given !== undefined) return undefined
    const carrier: { traceparent?: string } = {}
    propagation.inject(context.active(), carrier)
    const { traceparent } = carrier
    return traceparent === undefined ? undefined : { traceparent, within: (run) => run(), end: () => undefined }
  }
  const hasSdk = (): boolean => {
    const provider = trace.getTracerProvider()
    return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer("rollcall") !== undefined
  }

  return {
    begin(of, parent) {
      return hasSdk() ? begin(of, parent) : pass(of.kind, parent)
    },
  }

  function begin(
    { kind, service, method, instance, peer, retries = 0 }: SpanOf,
    parent?: CallSpan | string | null,
  ): CallSpan {
    const name = `${service}/${method}`
    const attributes = {
      "rpc.system.name": "rollcall",
      "rpc.method": name,
      ...(instance === undefined ? {} : { "rollcall.instance": instance }),
      ...(peer === undefined ? {} : { [kind === "handler" ? "client.address" : "server.address"]: peer }),
      ...(retries === 0 ? {} : { "rollcall.retries": retries }),
    }
    const outer = parentOf(parent)
    const span = tracer.startSpan(name, { kind: kinds[kind], attributes }, outer)
    const inner = trace.setSpan(outer, span)
    const carrier: { traceparent?: string } = {}
    if (kind !== "handler") propagation.inject(inner, carrier)
    const begun: CallSpan = {
      // Without an SDK, nothing is injected, and the text that was given is passed on.
      traceparent: carrier.traceparent ?? givenBy(parent),
      within: (run) => context.with(inner, run),
      end: (outcome, failure) => end(span, outcome, failure),
    }
    contexts.set(begun, inner)
    return begun
  }
}

function givenBy(parent: CallSpan | string | null | undefined): string | undefined {
  return typeof parent === "string" ? parent : parent?.traceparent
}
