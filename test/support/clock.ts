import type { Timers } from "../../src/timers.ts"

/** Time that passes only when it is told to; what is to come "soon" comes with the event loop's next turn. */
export interface Clock extends Timers {
  /** Lets time pass, and calls whatever is due on the way, in order. */
  advance(ms: number): void
  /** How many timers are set. */
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
