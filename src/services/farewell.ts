import type { Timers } from "../timers.ts"
import type { Instance } from "./instance-row.ts"

/** What a farewell needs. */
export interface FarewellOptions {
  readonly timers: Timers
  readonly others: readonly Instance[]
  /** Whether an instance has not ended since. */
  isThere(instance: Instance): boolean
  /** Asks another node whether it needs this one no more. */
  leave(instance: string, timeoutMs: number): Promise<unknown>
}

/** How long a node stays at most, in ms. A node that does not answer may have died. */
const FAREWELL_MS = 2_000
/** How long one question waits for its answer, and how long after a "no" it is asked again, in ms. */
const ATTEMPT_MS = 250
const AGAIN_MS = 20

/**
 * Waits until all other nodes see that no process runs on this one any more, and have all answers that they wait for.
 *
 * A call that arrives after the end of its instance fails, and its caller cannot know whether it ran.
 */
export async function farewell({ timers, others, isThere, leave }: FarewellOptions): Promise<void> {
  const deadline = timers.now() + FAREWELL_MS
  const leaves = async (other: Instance): Promise<void> => {
    for (let left = FAREWELL_MS; left > 0 && isThere(other); left = deadline - timers.now()) {
      const isFree = await leave(other.id, Math.min(left, ATTEMPT_MS)).catch(() => false)
      if (isFree === true) return
      await new Promise<void>((resolve) => timers.set(resolve, AGAIN_MS))
    }
  }
  await Promise.all(others.map(leaves))
}
