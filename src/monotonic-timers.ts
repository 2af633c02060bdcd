import type { Timers } from "./timers.ts"

/**
 * Returns timers whose clock never goes backwards, whatever the clock of the given timers does.
 *
 * When the given clock is set back, time here stands still for that moment and then goes on: only the time between the last
 * reading and the step back is lost. A timer that was set before the step and fires after it counts as due. Counter-example
 * with the greatest time seen so far instead: a clock that is set back by an hour stands still for an hour, and a node sends
 * no heartbeats, because none is due.
 */
export function monotonicTimers(timers: Timers): Timers {
  let last = -Infinity
  /** The sum of all steps back, which is added to the given clock. */
  let offset = 0

  function now(): number {
    const time = timers.now() + offset
    if (time < last) offset += last - time
    else last = time
    return last
  }

  return {
    now,
    set(run, ms) {
      const due = now() + ms
      const before = offset
      return timers.set(() => {
        // After a step back the clock has missed some time, but at least `ms` have passed since the timer was set.
        // Without a step, the clock is right even if the timer fires a fraction of a millisecond early.
        const isBehind = now() < due && offset > before
        if (isBehind) {
          offset += due - last
          last = due
        }
        run()
      }, ms)
    },
    clear: (timer) => timers.clear(timer),
    soon: (run) => timers.soon(run),
  }
}
