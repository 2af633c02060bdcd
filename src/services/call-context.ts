/** What a handler finds in its context, beside the fields of `context` that `serve` was given. */
export interface CallContext {
  /** The node that calls. Without a `secret`, any program that can publish on the bus can claim any name. */
  readonly caller: { readonly node: string }
  readonly service: string
  /** The id of the instance that handles the call. */
  readonly instance: string
  /** The path of the method, joined by dots. */
  readonly method: string
  /** The W3C trace context of the caller, if it has one. */
  readonly traceparent?: string
  /** Returns the time until the caller gives up, in ms: pass it on as `timeoutMs` of calls that the handler makes. */
  remainingMs(): number
}
