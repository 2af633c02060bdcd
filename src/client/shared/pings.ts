import type { Undo } from "../../listeners.ts"
import type { Clock } from "../../timers.ts"

/** After so many pings without an answer, the leader is replaced. */
const MISSES = 2

/** Pings to the leader, which may hang. */
export interface Pings {
  /** Begins to ping. Returns what ends it. */
  readonly start: () => Undo
  /** The leader has answered, or is a new one. */
  readonly answered: () => void
}

/** @param missed called instead of a ping while the leader does not answer */
export function createPings(timers: Clock, ms: number, ping: () => void, missed: () => void): Pings {
  let misses = 0
  return {
    start() {
      let timer: unknown
      const next = (): void => {
        timer = timers.set(next, ms)
        if (misses++ < MISSES) ping()
        else missed()
      }
      // The first one is too early to be missed.
      misses = -1
      next()
      return () => timers.clear(timer)
    },
    answered() {
      misses = 0
    },
  }
}
