import type { Clock } from "../timers.ts"

/** Calls functions later, in the order in which they were added, even if the delay becomes shorter meanwhile. */
export interface Delay {
  /** Calls `run` after `ms` milliseconds, or at once if that is 0 and nothing waits. */
  add(run: () => void, ms: number): void
  /** Calls at once all that wait. */
  flush(): void
  /** Forgets all that wait. */
  clear(): void
}

export function createDelay(timers: Clock): Delay {
  const waiting: (readonly [due: number, run: () => void])[] = []
  let timer: unknown

  const runUntil = (end: number): void => {
    timers.clear(timer)
    try {
      while (waiting[0] && waiting[0][0] <= end) waiting.shift()![1]()
    } finally {
      // An error of a callback must not hold up the others.
      if (waiting[0]) timer = timers.set(() => runUntil(timers.now()), Math.max(0, waiting[0][0] - timers.now()))
    }
  }

  return {
    add(run, ms) {
      if (!ms && !waiting.length) return run()
      const due = Math.max(timers.now() + ms, waiting.at(-1)?.[0] ?? 0)
      if (waiting.push([due, run]) === 1) timer = timers.set(() => runUntil(timers.now()), ms)
    },
    flush: () => runUntil(Infinity),
    clear() {
      timers.clear(timer)
      waiting.length = 0
    },
  }
}
