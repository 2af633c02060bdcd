/** Remembers leaves that overtook their joins, so that the late join does not bring back who has gone (rule 45). */
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import type { Movement } from "./reducers.ts"

/** How many references are remembered of each kind; older ones are forgotten first. */
const LIMIT = 256

/**
 * A leave of a reference never seen is one whose join is still to come, and swallows it, once.
 *
 * A reference that was here and left may come back, for a healed network split joins the same ones again; that it was here
 * is remembered, or a doubled leave of it would look like one never seen.
 */
export class Departures {
  readonly #early = new Set<string>()
  readonly #departed = new Set<string>()

  /** Whether a late join may be to come. */
  get expectsLate(): boolean {
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
      const metas = sent.metas.filter((meta) => !this.#early.delete(meta.phx_ref))
      joins[key] = metas.length === sent.metas.length ? sent : { ...sent, metas }
    }
    return { joins, leaves: diff.leaves }
  }

  /** Takes note of who left. Kept whole until the next ones leave: a doubled diff follows soon, however many are in it. */
  note<F extends object>(moved: readonly Movement<F>[]): void {
    let trimmed = false
    for (const [joined, , , { metas }] of moved) {
      if (joined) continue
      if (!trimmed) trim(this.#departed)
      trimmed = true
      for (const { phx_ref } of metas) this.#departed.add(phx_ref)
    }
  }

  /** Takes note of leaves that nobody was there for; more at once than the limit are no race, and not remembered. */
  noteEarly<F extends object>(leaves: PresenceState<F>): void {
    const early: string[] = []
    for (const { metas } of Object.values(leaves)) {
      for (const { phx_ref } of metas) if (phx_ref !== undefined && !this.#departed.has(phx_ref)) early.push(phx_ref)
    }
    if (early.length > LIMIT) return
    for (const ref of early) this.#early.add(ref)
    trim(this.#early)
  }
}

function trim(refs: Set<string>): void {
  for (const ref of refs) {
    if (refs.size <= LIMIT) return
    refs.delete(ref)
  }
}
