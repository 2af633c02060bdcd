import { hasClock, isClock, NO_CLOCKS, normalRanges, prefixOf, uniteRanges, type Ranges } from "./ranges.ts"
import type { Row } from "./row.ts"
import { inOrder, LiveRows } from "./live-rows.ts"

/**
 * What a payload says of one replica: the dots that its sender has seen, and the rows of those that still stand.
 *
 * A dot in `seen` without a row is over: added and removed, or a tick that only removed something. That is why nothing
 * is kept of a removed presence. A row whose dot is not in `seen` is not valid, and ignored.
 */
export interface Part {
  readonly seen: Ranges
  readonly rows: readonly Row[]
}

/** Replica ref → what is said of it: the body of every payload, a delta's as much as a full state's. */
export type Parts = ReadonlyMap<string, Part>

/**
 * All that is known of one replica: which of its dots have been seen, and the rows of those that stand.
 *
 * Two of the same ref are joined by one rule, T13 to T17 in one: a dot stands if both sides have its row, or one
 * has it and the other has not seen the dot. This is a join of a lattice, so order, repetition and grouping of merges
 * do not matter. Rows are found by clock (deviation D7: Phoenix looks at every row of the set for each delta, 32 ms at
 * 100 000 rows): a merge costs what the payload holds.
 */
export class ReplicaDots {
  readonly ref: string
  readonly #standing = new LiveRows()
  #seen: Ranges = NO_CLOCKS

  constructor(ref: string) {
    this.ref = ref
  }

  /** The highest clock such that all ticks from 1 to it have been seen. */
  get clock(): number {
    return prefixOf(this.#seen)
  }

  /** How much there is to send: rows, and ranges of seen dots. */
  get size(): number {
    return this.#standing.size + this.#seen.length / 2
  }

  /** How many rows stand. */
  get standing(): number {
    return this.#standing.size
  }

  /** Gives out the next dot. For the replica's owner alone, who has no gaps. */
  tick(): number {
    const clock = this.clock + 1
    this.#seen = [1, clock]
    return clock
  }

  /** Adds a row under the dot that `tick` gave out last. */
  put(row: Row): void {
    this.#standing.push(row)
  }

  /** Removes a row; its dot stays seen. */
  drop(row: Row): void {
    this.#standing.delete(row.clock)
  }

  /** The rows that stand, by their clocks. */
  rows(): Row[] {
    return this.#standing.all()
  }

  /** Those of them whose dots lie in `ranges`. */
  within(ranges: Ranges): Row[] {
    return this.#standing.within(ranges)
  }

  /** Joins `part` into this, and tells which rows came and which went. Costs as much as the part has rows and ranges. */
  merge(part: Part): { readonly added: readonly Row[]; readonly removed: readonly Row[] } {
    const seen = normalRanges(part.seen)
    const here = this.#standing.within(seen)
    const added: Row[] = []
    const removed: Row[] = []
    let at = 0
    for (const row of this.#validRows(part.rows, seen)) {
      while (at < here.length && here[at]!.clock < row.clock) removed.push(here[at++]!)
      if (here[at]?.clock === row.clock) at += 1
      else if (!hasClock(this.#seen, row.clock)) added.push(row)
    }
    while (at < here.length) removed.push(here[at++]!)
    for (const row of removed) this.#standing.delete(row.clock)
    this.#standing.add(added)
    // D1: a removed dot stays seen. Phoenix takes it out of the cloud: then, with an earlier delta lost, the delta that
    // added it comes once more, its dot looks new, and the presence is back for good while all contexts agree.
    this.#seen = uniteRanges(this.#seen, seen)
    return { added, removed }
  }

  /** The same, as a payload has it. */
  toPart(): Part {
    return { seen: this.#seen, rows: this.rows() }
  }

  /** Those of a payload's rows that make sense, one for a dot, by their clocks: as they come, nearly always. */
  #validRows(rows: readonly Row[], seen: Ranges): readonly Row[] {
    const valid: Row[] = []
    let last = 0
    let isInOrder = true
    for (const row of rows) {
      const { clock } = row
      if (row.ref !== this.ref || !isClock(clock) || !hasClock(seen, clock)) continue
      if (clock <= last) isInOrder = false
      last = clock
      valid.push(row)
    }
    return isInOrder ? valid : inOrder(valid).filter((row, i, sorted) => row.clock !== sorted[i - 1]?.clock)
  }
}
