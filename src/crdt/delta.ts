import type { VersionVector } from "./clock.ts"
import type { ReplicaDots, Part, Parts } from "./replica-dots.ts"
import { rangesOf, uniteRanges } from "./ranges.ts"
import type { Meta, Row } from "./row.ts"

/**
 * The changes of one replica between two heartbeats, and the removals of other replicas' rows that it merged meanwhile.
 *
 * A delta is complete for the replicas in `start` and `end`; in a replica's own delta that is only the replica itself. A
 * receiver that has seen all their dots up to `start` has, after the merge, seen all their dots up to `end`. The parts of
 * other replicas need not be complete.
 */
export interface Delta<M = Meta> {
  readonly mode: "delta"
  readonly parts: Parts<M>
  /** How much the receiver must have seen, so that no dot up to `end` is missing after the merge. */
  readonly start: VersionVector
  readonly end: VersionVector
}

/**
 * Collects the changes of a set until the next delta is taken (T2 to T8).
 *
 * Only removals are recorded. Added rows are found by their dots when the delta is taken, so joins need no record.
 */
export class PendingDelta<M = Meta> {
  readonly #own: ReplicaDots<M>
  #start = 0
  /** Ref → dots of removed rows. Own dots after `start` are left out: the range of own dots contains them already. */
  #removed = new Map<string, number[]>()

  constructor(own: ReplicaDots<M>) {
    this.#own = own
  }

  addRemoval(row: Row<M>): void {
    if (row.ref === this.#own.ref && row.clock > this.#start) return
    const clocks = this.#removed.get(row.ref)
    if (clocks === undefined) this.#removed.set(row.ref, [row.clock])
    else clocks.push(row.clock)
  }

  forget(ref: string): void {
    this.#removed.delete(ref)
  }

  /** Returns the delta up to the own clock and starts the next one there; `undefined` if nothing has changed (T10). */
  take(): Delta<M> | undefined {
    const { ref, clock } = this.#own
    const start = this.#start
    if (clock === start && this.#removed.size === 0) return undefined
    const parts = new Map<string, Part<M>>()
    for (const [ref, clocks] of this.#removed) parts.set(ref, { seen: rangesOf(clocks), rows: [] })
    if (clock > start) {
      const ownDots = [start + 1, clock]
      parts.set(ref, { seen: uniteRanges(parts.get(ref)?.seen ?? [], ownDots), rows: this.#own.within(ownDots) })
    }
    this.#start = clock
    this.#removed = new Map()
    return { mode: "delta", parts, start: new Map([[ref, start]]), end: new Map([[ref, clock]]) }
  }
}
