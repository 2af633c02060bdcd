/**
 * Remembers leaves that arrived before their joins, so that the late join does not bring back a device that is gone
 * (C45).
 */
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"
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
export class EarlyLeaves {
  readonly #now: () => number
  /** Refs whose leave came without their join. */
  readonly #early = new Set<string>()
  /** When the last early leave was recorded, by `now`. */
  #recordedAt = 0
  /** Refs that were present and left. */
  readonly #left = new Set<string>()

  /** @param now a monotonic clock, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** How many early leaves still wait for their joins. */
  get size(): number {
    if (this.#now() - this.#recordedAt > LATE_MS) this.#early.clear()
    return this.#early.size
  }

  /** Forgets everything. To be called for the state of a new join, which contains the effect of all earlier diffs. */
  clear(): void {
    this.#early.clear()
    this.#left.clear()
  }

  /** Returns the diff without the joins whose leave came first. Each such join is dropped once. */
  filter<F extends object>(diff: PresenceDiff<F>): PresenceDiff<F> {
    if (this.size === 0) return diff
    const joins = Object.create(null) as Record<string, PresenceEntry<F>>
    for (const [key, sent] of Object.entries(diff.joins)) {
      joins[key] = { ...sent, metas: sent.metas.filter((meta) => !this.#early.delete(meta.phx_ref)) }
    }
    return { ...diff, joins }
  }

  /**
   * Records an applied frame: the metas that it removed, and those of its `leaves` that were not present.
   *
   * More than `LIMIT` leaves of absent metas in one frame are not caused by overtaking, and are not recorded. All metas that
   * a frame removed are kept until metas leave again: a copy of a diff follows soon after it, and may be of any size.
   */
  add<F extends object>(events: readonly PresenceEvent<F>[], leaves: PresenceState<F> = {}): void {
    const left = events.filter(([isJoin]) => !isJoin)
    if (left.length > 0) trim(this.#left)
    for (const [, , , , metas] of left) for (const meta of metas) this.#left.add(meta.phx_ref)
    const early = Object.values(leaves)
      .flatMap(({ metas }) => metas)
      .filter((meta) => meta.phx_ref && !this.#left.has(meta.phx_ref))
    if (early.length > LIMIT) return
    if (early.length > 0) this.#recordedAt = this.#now()
    for (const meta of early) this.#early.add(meta.phx_ref)
    trim(this.#early)
  }
}

function trim(refs: Set<string>): void {
  for (const ref of refs) {
    if (refs.size <= LIMIT) return
    refs.delete(ref)
  }
}
