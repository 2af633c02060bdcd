/** Values that the application gives, now or as a promise. */

export const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === "function"

/** Returns what was given, or what a function that was given returns. What it throws is a rejected promise. */
export function valueOf(given: unknown): unknown {
  try {
    return typeof given === "function" ? (given as () => unknown)() : given
  } catch (cause) {
    return Promise.reject(cause)
  }
}

/** Passes what `ask` returns to `use`: a value at once, a promise's when it comes. An error goes to `failed`, never at once. */
export function whenGiven<T>(
  ask: () => T | PromiseLike<T>,
  use: (value: T) => void,
  failed: (cause: unknown) => void,
): void {
  try {
    const value = ask()
    if (!isPromise(value)) return use(value)
    value.then(use).then(undefined, failed)
  } catch (cause) {
    void Promise.reject(cause).catch(failed)
  }
}
