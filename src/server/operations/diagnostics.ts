import { channel } from "node:diagnostics_channel"
import { setUnref, type Timers } from "../../timers.ts"
import type { Meter } from "./meter.ts"
import type { Stats } from "./stats.ts"

/** Carries each count when it is made: `{ node, name, by }`. */
const COUNT = channel("rollcall:count")
/** Carries each size when it is observed: `{ node, name, value }`. */
const OBSERVE = channel("rollcall:observe")
/** Carries a server's `Stats` every ten seconds. */
const STATS = channel("rollcall:stats")

const STATS_PERIOD_MS = 10_000

/** Returns a meter that publishes each count and size. Without a subscriber, it creates no message. */
export function publishCounts(node: string): Meter {
  return {
    count(name, by) {
      if (COUNT.hasSubscribers) COUNT.publish({ node, name, by })
    },
    observe(name, value) {
      if (OBSERVE.hasSubscribers) OBSERVE.publish({ node, name, value })
    },
  }
}

/** Publishes a server's stats every ten seconds while there is a subscriber. Returns a function that stops this. */
export function publishStats(stats: () => Stats, timers: Timers): () => void {
  let timer: unknown
  const schedule = (): void => {
    timer = setUnref(timers, publish, STATS_PERIOD_MS)
  }
  const publish = (): void => {
    if (STATS.hasSubscribers) STATS.publish(stats())
    schedule()
  }
  schedule()
  return () => timers.clear(timer)
}
