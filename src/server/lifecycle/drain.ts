import type { Timers } from "../../timers.ts"
import type { Limits } from "../limits.ts"

/** How a drain goes: by limits of the server, in its time. */
export interface DrainOptions {
  readonly limits: Pick<Limits, "drainBatch" | "drainIntervalMs" | "drainTimeoutMs">
  readonly timers: Timers
}

/**
 * Tells everybody to go, in batches, so that those who take them in are not asked by all at once (P18).
 * Resolves once all have been told.
 *
 * @param everyone who is still here: whom `tell` sends away, or who goes by himself, is not in it any more
 */
export function drain<Item>(
  everyone: ReadonlySet<Item>,
  tell: (item: Item) => void,
  { limits, timers }: DrainOptions,
): Promise<void> {
  const { drainBatch, drainIntervalMs, drainTimeoutMs } = limits
  const until = timers.now() + drainTimeoutMs
  return new Promise((resolve) => {
    const next = (): void => {
      const isLast = timers.now() >= until
      let left = isLast ? everyone.size : drainBatch
      for (const item of everyone) {
        if ((left -= 1) < 0) break
        tell(item)
      }
      if (isLast || everyone.size === 0) resolve()
      else timers.set(next, Math.min(drainIntervalMs, until - timers.now()))
    }
    next()
  })
}
