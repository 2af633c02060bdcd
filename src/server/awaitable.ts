/** A value, or a promise of it. */
export type Awaitable<Value> = Value | PromiseLike<Value>

/**
 * Returns whether a value is a promise, that is, has a method `then`. Its class does not matter, since it may come from
 * another realm or from a library.
 */
export function isPromise<Value>(value: Awaitable<Value>): value is PromiseLike<Value> {
  return typeof (value as Partial<PromiseLike<Value>> | null | undefined)?.then === "function"
}

/**
 * Calls `proceed` with a value: at once, or when the promise of the value resolves. Values that are no promises are thus
 * handled synchronously, in order.
 */
export function andThen<Value, Next>(
  value: Awaitable<Value>,
  proceed: (value: Value) => Awaitable<Next>,
): Awaitable<Next> {
  // Through a promise of our own: a library's `then` may return nothing, and may call back at once.
  return isPromise(value) ? Promise.resolve(value).then(proceed) : proceed(value)
}
