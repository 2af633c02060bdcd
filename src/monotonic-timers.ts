import type { Timers } from "./timers.ts"

/**
 * Returns timers whose clock never goes backwards, whatever the clock of the given timers does.
 *
 * When the given clock is set back, the clock here goes on from its last reading: only the time between that reading and the
 * step is lost. Counter-example with the greatest time seen so far instead: a clock that is set back by an hour would stand
 * still for an hour.
 */
export function monotonicTimers(timers: Timers): Timers {
  let last = -Infinity
  /** The sum of all steps back, which is added to the given clock. */
  let offset = 0
  return {
    now() {
      const time = timers.now() + offset
      if (time < last) offset += last - time
      else last = time
      return last
    },
    set: (run, ms) => timers.set(run, ms),
    clear: (timer) => timers.clear(timer),
    soon: (run) => timers.soon(run),
  }
}
