import { WORKERS } from "./messages.js"
import type { Second } from "./messages.js"

/** How many seconds the plots show. */
export const PLOTTED_SECONDS = 60

/** Counts the jobs of each second. */
export interface LatestSeconds {
  /** The number of the second that is being counted. */
  readonly current: number
  /** Counts a job. @param worker 0 for a job that failed */
  add(worker: number, ms: number): void
  /** Ends the current second, and returns it. */
  next(): Second
  /** Returns the seconds that have ended, the latest last. */
  list(): readonly Second[]
}

export function createLatestSeconds(): LatestSeconds {
  let seconds: Second[] = []
  let current = 0
  let counts = WORKERS.map(() => 0)
  let failed = 0
  let durations: number[] = []

  return {
    get current() {
      return current
    },
    add(worker, ms) {
      if (worker === 0) {
        failed += 1
        return
      }
      counts[worker - 1] = (counts[worker - 1] ?? 0) + 1
      durations.push(ms)
    },
    next() {
      durations.sort((a, b) => a - b)
      const second = { at: current, counts, failed, median: quantile(durations, 0.5), p95: quantile(durations, 0.95) }
      seconds = [...seconds, second].slice(-PLOTTED_SECONDS)
      current += 1
      counts = WORKERS.map(() => 0)
      failed = 0
      durations = []
      return second
    },
    list: () => seconds,
  }
}

/** Returns the smallest value that is not exceeded by a share of all; 0 if there is none. @param sorted ascending */
function quantile(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0)
}
