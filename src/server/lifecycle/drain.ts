import type { Limits } from "../limits.ts"
import type { Timers } from "../../timers.ts"

/** The pace of a drain, and its clock. */
export interface DrainOptions {
  readonly limits: Pick<Limits, "drainBatch" | "drainIntervalMs" | "drainTimeoutMs">
  readonly timers: Timers
}

/**
 * Ends items in batches, `drainBatch` of them every `drainIntervalMs`, so that their clients do not all connect to the other
 * nodes at once (P18). After `drainTimeoutMs` it ends all that are left.
 *
 * Resolves when the set is empty, or after `drainTimeoutMs`, when `end` has been called for every item.
 *
 * @param items the items to end; an item must be removed from the set when it has ended
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
