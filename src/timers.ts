/**
 * Time as it is handed in: a clock that never goes back, and timers.
 *
 * Everything that waits takes one of these, so that a test or a seeded simulation can run a day in a second.
 */
export interface Timers {
  /** Milliseconds since some fixed moment; monotonic, so a change of the wall clock is never seen. */
  now(): number
  /** Calls `run` once, after `ms` milliseconds. */
  set(run: () => void, ms: number): unknown
  /** Forgets a timer; one that has fired, or `undefined`, is ignored. */
  clear(timer: unknown): void
  /** Calls `run` once everything that this turn of the event loop has brought is done. */
  soon(run: () => void): void
}

/** The platform's own clock and timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  soon: (run) => void (typeof setImmediate === "function" ? setImmediate(run) : setTimeout(run)),
}

/** Sets a timer that does not keep the process alive, where the platform allows that. */
export function setUnref(timers: Timers, run: () => void, ms: number): unknown {
  const timer = timers.set(run, ms)
  ;(timer as { unref?: () => void } | undefined)?.unref?.()
  return timer
}
