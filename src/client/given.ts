/** Values that the application gives: as they are or by a function, now or as a promise. */

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === "function"

/** Returns a given value, or what a given function returns. What the function throws becomes a rejected promise. */
export function valueOf(given: unknown): unknown {
  try {
    return typeof given === "function" ? (given as () => unknown)() : given
  } catch (cause) {
    return Promise.reject(cause)
  }
}

/** Passes a given value to `use`: at once, or when its promise resolves. An error goes to `failed`, never at once. */
export function whenGiven<T>(given: unknown, use: (value: T) => void, failed: (cause: unknown) => void): void {
  let value = valueOf(given)
  try {
    if (!isPromise(value)) return use(value as T)
  } catch (cause) {
    value = Promise.reject(cause)
  }
  ;(value as Promise<T>).then(use).then(undefined, failed)
}
