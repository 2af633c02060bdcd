import { channel } from "node:diagnostics_channel"
import { setUnref, type Timers } from "../../timers.ts"
import type { Meter } from "./meter.ts"
import type { Stats } from "./stats.ts"

/** Each count as it is made: `{ node, name, by }`. */
const COUNT = channel("rollcall:count")
/** Each size as it is taken down: `{ node, name, value }`. */
const OBSERVE = channel("rollcall:observe")
/** Every ten seconds what a server is: its `Stats`. */
const STATS = channel("rollcall:stats")

const STATS_PERIOD_MS = 10_000

/** What is counted, for whoever has subscribed by then. Nothing is made for nobody. */
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

/** What a server is, for whoever has subscribed by then. Returns the end of it. */
export function publishStats(stats: () => Stats, timers: Timers): () => void {
  let timer: unknown
  const wait = (): void => {
    timer = setUnref(timers, publish, STATS_PERIOD_MS)
  }
  const publish = (): void => {
    if (STATS.hasSubscribers) STATS.publish(stats())
    wait()
  }
  wait()
  return () => timers.clear(timer)
}
