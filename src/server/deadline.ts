import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"

/**
 * Returns a promise that settles like `pending`, if that happens within `ms` milliseconds. Otherwise it rejects with a
 * RollcallError with that `code` and the message `expected <expected> within <ms> ms`.
 */
export function withDeadline<Value>(
  pending: PromiseLike<Value>,
  limit: { readonly ms: number; readonly timers: Timers; readonly code: string; readonly expected: string },
): Promise<Value> {
  const { ms, timers, code, expected } = limit
  let timer: unknown
  const late = new Promise<never>((_, reject) => {
    timer = timers.set(() => reject(new RollcallError(code, `expected ${expected} within ${ms} ms`)), ms)
  })
  return Promise.race([pending, late]).finally(() => timers.clear(timer))
}
