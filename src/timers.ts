/**
 * A monotonic clock and timers.
 *
 * All code that waits uses this interface instead of the platform's timers, so that a test or a seeded simulation can run
 * a day in a second.
 */
export interface Timers {
  /**
   * Returns the milliseconds since some fixed moment. It is monotonic: a change of the wall clock has no effect on it.
   */
  now(): number
  /** Calls `run` once, after `ms` milliseconds. */
  set(run: () => void, ms: number): unknown
  /** Cancels a timer. A timer that has fired, and `undefined`, are ignored. */
  clear(timer: unknown): void
  /** Calls `run` after the current turn of the event loop. */
  soon(run: () => void): void
}

/** The part of `Timers` that the client uses. */
export type Clock = Omit<Timers, "soon">

/** The platform's own clock, and its timers that every runtime has. */
export const systemClock: Clock = {
  now: () => performance.now(),
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
}

/** The platform's own clock and timers. */
export const systemTimers: Timers = {
  ...systemClock,
  soon: (run) => void (typeof setImmediate === "function" ? setImmediate(run) : setTimeout(run)),
}

/** Sets a timer that does not keep the process alive, where the platform allows that. */
export function setUnref(timers: Timers, run: () => void, ms: number): unknown {
  const timer = timers.set(run, ms)
  ;(timer as { unref?: () => void } | undefined)?.unref?.()
  return timer
}
