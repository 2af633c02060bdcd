import type { Limits } from "../limits.ts"
import type { Timers } from "../../timers.ts"

/** The pace of a drain, and its clock. */
export interface DrainOptions {
  readonly limits: Pick<Limits, "drainBatch" | "drainIntervalMs" | "drainTimeoutMs">
  readonly timers: Timers
}

/**
 * Ends items in batches, `drainBatch` of them every `drainIntervalMs`, so that the nodes that their clients connect to
 * next are not asked by all at once (P18). After `drainTimeoutMs` it ends all that are left.
 *
 * Resolves when the set is empty, or when every item has been ended once the time is over.
 *
 * @param items what there is to end; an item has to leave the set when it has ended
 */
export function drain<Item>(
  items: ReadonlySet<Item>,
  end: (item: Item) => void,
  { limits, timers }: DrainOptions,
): Promise<void> {
  const { drainBatch, drainIntervalMs, drainTimeoutMs } = limits
  const deadline = timers.now() + drainTimeoutMs
  return new Promise((resolve) => {
    const endBatch = (): void => {
      const isLast = timers.now() >= deadline
      let remaining = isLast ? items.size : drainBatch
      for (const item of items) {
        if ((remaining -= 1) < 0) break
        end(item)
      }
      if (isLast || items.size === 0) resolve()
      else timers.set(endBatch, Math.min(drainIntervalMs, deadline - timers.now()))
    }
    endBatch()
  })
}
