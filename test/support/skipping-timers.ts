import { systemTimers, type Timers } from "../../src/timers.ts"

/** Timers of the platform that can also skip time. */
export interface SkippingTimers extends Timers {
  /** Lets time pass at once, and calls the callbacks that are due by then, in order. */
  skip(ms: number): void
}

/** Returns timers for tests of deadlines: nothing is due before the test says so, if its deadlines are long. */
export function skippingTimers(): SkippingTimers {
  let skipped = 0
  const now = (): number => systemTimers.now() + skipped
  const pending = new Map<unknown, { readonly at: number; readonly run: () => void }>()
  return {
    ...systemTimers,
    now,
    set(run, ms) {
      const timer = systemTimers.set(() => {
        pending.delete(timer)
        run()
      }, ms)
      pending.set(timer, { at: now() + ms, run })
      return timer
    },
    clear(timer) {
      pending.delete(timer)
      systemTimers.clear(timer)
    },
    skip(ms) {
      skipped += ms
      const due = [...pending].filter(([, { at }]) => at <= now()).sort(([, a], [, b]) => a.at - b.at)
      for (const [timer, { run }] of due) {
        if (!pending.delete(timer)) continue
        systemTimers.clear(timer)
        run()
      }
    },
  }
}
