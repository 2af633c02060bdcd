/** A value, or a promise of it. */
export type Awaitable<Value> = Value | PromiseLike<Value>

/**
 * Returns whether a value is a promise: whether it has a method `then`. Its class does not matter, as it may come from
 * another realm or from a library.
 */
export function isPromise<Value>(value: Awaitable<Value>): value is PromiseLike<Value> {
  return typeof (value as Partial<PromiseLike<Value>> | null | undefined)?.then === "function"
}

/**
 * Calls `proceed` with a value: synchronously, unless the value is a promise. Calls with synchronous values thus keep
 * their order.
 */
export function whenever<Value, Next>(
  value: Awaitable<Value>,
  proceed: (value: Value) => Awaitable<Next>,
): Awaitable<Next> {
  // Through a promise of our own: a library's `then` may return nothing, and may call back at once.
  return isPromise(value) ? Promise.resolve(value).then(proceed) : proceed(value)
}
