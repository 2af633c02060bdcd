import type { VersionVector } from "./clock.ts"
import type { ReplicaDots, Part, Parts } from "./replica-dots.ts"
import { rangesOf, uniteRanges } from "./ranges.ts"
import type { Row } from "./row.ts"

/**
 * What one replica did between two heartbeats, and which of others' rows it saw removed.
 *
 * Complete for the replicas of its range, which for a replica's own delta is itself alone: who has seen all of them up
 * to `start` has, after merging it, seen all up to `end`. ReplicaDots of other refs in it are news, not a complete account.
 */
export interface Delta {
  readonly mode: "delta"
  readonly parts: Parts
  /** What one must have seen for the delta to close the gap to `end`. */
  readonly start: VersionVector
  readonly end: VersionVector
}

/**
 * The delta that a set is gathering (T2 to T8): marks of what was removed, until it is taken. What was added is
 * found by its dots then, so that a join marks nothing.
 */
export class PendingDelta {
  readonly #own: ReplicaDots
  #start = 0
  /** Ref → dots of removed rows, except own ones after `start`: those the range of own ticks holds already. */
  #removed = new Map<string, number[]>()

  constructor(own: ReplicaDots) {
    this.#own = own
  }

  removed(row: Row): void {
    if (row.ref === this.#own.ref && row.clock > this.#start) return
    const clocks = this.#removed.get(row.ref)
    if (clocks === undefined) this.#removed.set(row.ref, [row.clock])
    else clocks.push(row.clock)
  }

  forget(ref: string): void {
    this.#removed.delete(ref)
  }

  /** The delta up to the own clock, and a fresh start there; `undefined` when there is nothing to tell (T10). */
  take(): Delta | undefined {
    const { ref, clock } = this.#own
    const start = this.#start
    if (clock === start && this.#removed.size === 0) return undefined
    const parts = new Map<string, Part>()
    for (const [ref, clocks] of this.#removed) parts.set(ref, { seen: rangesOf(clocks), rows: [] })
    if (clock > start) {
      const ticks = [start + 1, clock]
      parts.set(ref, { seen: uniteRanges(parts.get(ref)?.seen ?? [], ticks), rows: this.#own.within(ticks) })
    }
    this.#start = clock
    this.#removed = new Map()
    return { mode: "delta", parts, start: new Map([[ref, start]]), end: new Map([[ref, clock]]) }
  }
}
