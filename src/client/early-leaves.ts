/**
 * Remembers leaves that arrived before their joins, so that the late join does not bring back a device that is gone
 * (C45).
 */
import type { PresenceDiff, PresenceState } from "../wire/presence-payloads.ts"
import type { PresenceEvent } from "./reducers.ts"

/** How many refs of each kind are remembered; the oldest are forgotten first. */
const LIMIT = 256

/**
 * How long an early leave waits for its join, in milliseconds. Two diffs that overtake each other arrive close together.
 * A join after this time has another cause. Example: the state did not contain the device when its leave arrived, and now a
 * healed network split joins the device again.
 */
const LATE_MS = 5_000

/**
 * The early leaves of one channel. A leave is early if its ref was never present. The first join of that ref is then dropped.
 *
 * A ref that was present and left may be joined again, because a healed network split joins the same refs again. Such refs
 * are remembered, too. Otherwise a second copy of their leave would count as early.
 */
export interface EarlyLeaves {
  /** Returns how many early leaves still wait for their joins. */
  size(): number
  /** Forgets everything. To be called for the state of a new join, which contains the effect of all earlier diffs. */
  clear(): void
  /** Whether the leave of this ref came first, so that its join is to be dropped. */
  has(ref: string): boolean
  /**
   * Records an applied frame: the metas that it removed, and those of the `leaves` of a diff that were not present. A join is dropped
   * once: those of the diff are not dropped any more.
   *
   * More than `LIMIT` leaves of absent metas in one frame are not caused by overtaking, and are not recorded. All metas that
   * a frame removed are kept until metas leave again: a copy of a diff follows soon after it, and may be of any size.
   */
  add<F extends object>(events: readonly PresenceEvent<F>[], diff?: PresenceDiff<F>): void
}

/** @param now a monotonic clock, in ms */
export function createEarlyLeaves(now: () => number): EarlyLeaves {
  /** Refs whose leave came without their join. */
  const early = new Set<string>()
  /** When the last early leave was recorded, by `now`. */
  let recordedAt = 0
  /** Refs that were present and left. */
  const left = new Set<string>()

  const size = (): number => {
    if (early.size > 0 && now() - recordedAt > LATE_MS) early.clear()
    return early.size
  }

  return {
    size,
    clear() {
      early.clear()
      left.clear()
    },
    has: (ref) => early.has(ref),
    add(events, { joins, leaves } = NO_DIFF) {
      const removed = events.filter(([isJoin]) => !isJoin)
      if (removed.length > 0) trim(left)
      for (const [, , , , metas] of removed) for (const meta of metas) left.add(meta.phx_ref)
      if (early.size > 0) for (const ref of refsOf(joins)) early.delete(ref)
      const absent = refsOf(leaves).filter((ref) => ref && !left.has(ref))
      if (!absent.length || absent.length > LIMIT) return
      recordedAt = now()
      for (const ref of absent) early.add(ref)
      trim(early)
    },
  }
}

const NO_DIFF = { joins: {}, leaves: {} }

const refsOf = (users: PresenceState<object>): string[] =>
  Object.values(users).flatMap(({ metas }) => metas.map(({ phx_ref }) => phx_ref))

function trim(refs: Set<string>): void {
  for (const ref of refs) {
    if (refs.size <= LIMIT) return
    refs.delete(ref)
  }
}
