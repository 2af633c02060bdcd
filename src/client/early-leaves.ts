/** Remembers leaves that overtook their joins, so that the late join does not bring back who has gone (C45). */
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import type { PresenceEvent } from "./reducers.ts"

/** How many references are remembered of each kind; older ones are forgotten first. */
const LIMIT = 256

/**
 * How long a leave of nobody waits for its join, in ms: who is overtaken is not far behind. What comes back later has
 * another story: a leave that the state had inside already, say, of people whom a healed network joins again.
 */
const LATE_MS = 5_000

/**
 * A leave of a reference never seen is one whose join is still to come, and swallows it, once.
 *
 * A reference that was here and left may come back, for a healed network split joins the same ones again; that it was here
 * is remembered, or a doubled leave of it would look like one never seen.
 */
export class EarlyLeaves {
  readonly #now: () => number
  readonly #early = new Set<string>()
  /** When the last of them was noted. */
  #noted = 0
  readonly #departed = new Set<string>()

  /** @param now a monotonic clock, in ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Whether a late join may be to come. */
  get expectsLate(): boolean {
    if (this.#now() - this.#noted > LATE_MS) this.#early.clear()
    return this.#early.size > 0
  }

  /** A new state answers all questions. */
  clear(): void {
    this.#early.clear()
    this.#departed.clear()
  }

  /** The diff without the joins that come too late; itself, if there are none. */
  sift<F extends object>(diff: PresenceDiff<F>): PresenceDiff<F> {
    if (!this.expectsLate) return diff
    const joins: Record<string, PresenceEntry<F>> = Object.create(null)
    for (const [key, sent] of Object.entries(diff.joins)) {
      joins[key] = { ...sent, metas: sent.metas.filter((meta) => !this.#early.delete(meta.phx_ref)) }
    }
    return { ...diff, joins }
  }

  /**
   * Takes note of who left, and of leaves that nobody was there for: more of those at once than the limit are no race, and
   * not remembered. Who left is kept whole until the next ones leave: a doubled diff follows soon, however many are in it.
   */
  note<F extends object>(moved: readonly PresenceEvent<F>[], leaves: PresenceState<F> = {}): void {
    const left = moved.filter(([joined]) => !joined)
    if (left.length > 0) trim(this.#departed)
    for (const [, , , , metas] of left) for (const meta of metas) this.#departed.add(meta.phx_ref)
    const early = Object.values(leaves)
      .flatMap(({ metas }) => metas)
      .filter((meta) => meta.phx_ref && !this.#departed.has(meta.phx_ref))
    if (early.length > LIMIT) return
    for (const meta of early) {
      this.#early.add(meta.phx_ref)
      this.#noted = this.#now()
    }
    trim(this.#early)
  }
}

function trim(refs: Set<string>): void {
  for (const ref of refs) {
    if (refs.size <= LIMIT) return
    refs.delete(ref)
  }
}
