/** Remembers leaves that arrived before their joins, so that the late join does not bring back a device that is gone (C45). */
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import type { PresenceEvent } from "./reducers.ts"

/** How many refs of each kind are remembered; the oldest are forgotten first. */
const LIMIT = 256

/**
 * How long an early leave waits for its join, in milliseconds. Two diffs that overtake each other arrive close together.
 * A join that comes later has another cause: the state was already without the device that left, and a healed network
 * split joins that device again.
 */
const LATE_MS = 5_000

/**
 * The early leaves of one channel. A leave of a ref that was never present is early: its join, when it comes, is dropped, once.
 *
 * A ref that was present and left may be joined again, because a healed network split joins the same refs again. Such refs
 * are remembered as well: otherwise a second copy of their leave would look like a leave of a ref that was never present.
 */
export class EarlyLeaves {
  readonly #now: () => number
  /** Refs whose leave came without their join. */
  readonly #early = new Set<string>()
  /** When the last of them was recorded. */
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

  /** Forgets everything: the state of a new join has all answers. */
  clear(): void {
    this.#early.clear()
    this.#left.clear()
  }

  /** Returns the diff without the joins that come too late. Each late join is dropped once. */
  filter<F extends object>(diff: PresenceDiff<F>): PresenceDiff<F> {
    if (this.size === 0) return diff
    const joins = Object.create(null) as Record<string, PresenceEntry<F>>
    for (const [key, sent] of Object.entries(diff.joins)) {
      joins[key] = { ...sent, metas: sent.metas.filter((meta) => !this.#early.delete(meta.phx_ref)) }
    }
    return { ...diff, joins }
  }

  /**
   * Records which metas left by an applied frame, and which `leaves` it had of metas that were not present.
   *
   * More than `LIMIT` of the latter in one frame are no race, and are not recorded. All metas that left in one frame are
   * kept until metas leave again, because a doubled diff follows soon after the first, however large it is.
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
