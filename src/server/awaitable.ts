/** Now, or later. */
export type Awaitable<Value> = Value | PromiseLike<Value>

/** By what it can do, and not by its class: a promise may come from another realm, or from a library. */
export function isPromise<Value>(value: Awaitable<Value>): value is PromiseLike<Value> {
  return typeof (value as Partial<PromiseLike<Value>> | null | undefined)?.then === "function"
}

/** Goes on with a value that may be there only later: at once where it can, so that what is quick stays in order. */
export function whenever<Value, Next>(
  value: Awaitable<Value>,
  proceed: (value: Value) => Awaitable<Next>,
): Awaitable<Next> {
  return isPromise(value) ? value.then(proceed) : proceed(value)
}
