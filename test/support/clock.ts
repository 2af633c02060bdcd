import type { Timers } from "../../src/timers.ts"

/** Virtual timers: time passes only in `advance`. `soon` is not virtual; it runs callbacks in the next tick of the event loop. */
export interface Clock extends Timers {
  /** Lets time pass, and calls the callbacks that are due meanwhile, in order. */
  advance(ms: number): void
  /** The number of timers that are set. */
  readonly pending: number
}

export function clock(): Clock {
  let now = 0
  const due = new Map<object, { readonly at: number; readonly run: () => void }>()
  return {
    now: () => now,
    set(run, ms) {
      const timer = {}
      due.set(timer, { at: now + ms, run })
      return timer
    },
    clear: (timer) => void due.delete(timer as object),
    soon: (run) => void setImmediate(run),
    get pending() {
      return due.size
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const inOrder = [...due].filter(([, { at }]) => at <= end)
        inOrder.sort(([, a], [, b]) => a.at - b.at)
        const [next] = inOrder
        if (next === undefined) break
        const [timer, { at, run }] = next
        due.delete(timer)
        now = at
        run()
      }
      now = end
    },
  }
}
