import type { Timers } from "../timers.ts"
import type { Instance } from "./instance-row.ts"
import { startOf } from "./placement-plan.ts"

/** What a farewell needs. */
export interface FarewellOptions {
  readonly timers: Timers
  /** Returns the other nodes, also those that came after the start of the farewell. */
  others(): readonly Instance[]
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
 * A call that arrives after the end of its instance fails, and its caller cannot know whether it ran. A node that comes
 * meanwhile is asked as well: one that has missed the last news may send it here.
 */
export async function farewell({ timers, others, leave }: FarewellOptions): Promise<void> {
  const deadline = timers.now() + FAREWELL_MS
  const agreed = new Set<string>()
  const needing = (): readonly Instance[] => others().filter((other) => !agreed.has(startOf(other)))
  for (let left = FAREWELL_MS; left > 0; left = deadline - timers.now()) {
    const timeoutMs = Math.min(left, ATTEMPT_MS)
    const ask = async (other: Instance): Promise<void> => {
      if ((await leave(other.id, timeoutMs).catch(() => false)) === true) agreed.add(startOf(other))
    }
    await Promise.all(needing().map(ask))
    if (needing().length === 0) return
    await new Promise<void>((resolve) => timers.set(resolve, AGAIN_MS))
  }
}
