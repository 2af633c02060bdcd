import {
  countClocks,
  hasClock,
  isClock,
  NO_CLOCKS,
  normalRanges,
  prefixOf,
  uniteRanges,
  type Ranges,
} from "./ranges.ts"
import type { Row } from "./row.ts"

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
 * Two of the same ref are joined by one rule, rules 13 to 17 in one: a dot stands if both sides have its row, or one
 * has it and the other has not seen the dot. This is a join of a lattice, so order, repetition and grouping of merges
 * do not matter. Rows are found by clock (deviation D7: Phoenix looks at every row of the set for each delta, 32 ms at
 * 100 000 rows): a merge costs what the payload holds.
 */
export class Dots {
  readonly ref: string
  readonly #rows = new Map<number, Row>()
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
    return this.#rows.size + this.#seen.length / 2
  }

  /** How many rows stand. */
  get standing(): number {
    return this.#rows.size
  }

  /** Gives out the next dot. For the replica's owner alone, who has no gaps. */
  tick(): number {
    const clock = this.clock + 1
    this.#seen = [1, clock]
    return clock
  }

  /** Adds a row under a dot given out by `tick`. */
  put(row: Row): void {
    this.#rows.set(row.clock, row)
  }

  /** Removes a row; its dot stays seen. */
  drop(row: Row): void {
    this.#rows.delete(row.clock)
  }

  /** The rows that stand, in the order in which this side learnt of them. */
  rows(): Row[] {
    return [...this.#rows.values()]
  }

  /**
   * Joins `part` into this, and tells which rows came and which went. Costs as much as the part has rows, and for each
   * of its ranges the lesser of the clocks in it and the rows here.
   */
  merge(part: Part): { readonly added: readonly Row[]; readonly removed: readonly Row[] } {
    const seen = normalRanges(part.seen)
    const standing = new Set<number>()
    const unseen: Row[] = []
    for (const row of part.rows) {
      const { clock } = row
      if (row.ref !== this.ref || !isClock(clock) || !hasClock(seen, clock)) continue
      if (hasClock(this.#seen, clock)) standing.add(clock)
      else unseen.push(row)
    }
    const removed = this.#within(seen).filter((row) => !standing.has(row.clock))
    for (const row of removed) this.#rows.delete(row.clock)
    const added: Row[] = []
    for (const row of unseen) {
      // A dot that is in the payload twice has one row.
      if (this.#rows.has(row.clock)) continue
      this.#rows.set(row.clock, row)
      added.push(row)
    }
    // D1: a removed dot stays seen. Phoenix takes it out of the cloud: then, with an earlier delta lost, the delta that
    // added it comes once more, its dot looks new, and the presence is back for good while all contexts agree.
    this.#seen = uniteRanges(this.#seen, seen)
    return { added, removed }
  }

  /** The same, as a payload has it. */
  toPart(): Part {
    return { seen: this.#seen, rows: this.rows() }
  }

  /**
   * The rows whose dots lie in `ranges`, by whichever is less: the clocks asked for (without end, at worst) or the
   * rows.
   */
  #within(ranges: Ranges): Row[] {
    if (this.#rows.size === 0) return []
    if (countClocks(ranges) > this.#rows.size) return this.rows().filter((row) => hasClock(ranges, row.clock))
    const rows: Row[] = []
    for (let i = 0; i < ranges.length; i += 2) {
      for (let clock = ranges[i]!; clock <= ranges[i + 1]!; clock++) {
        const row = this.#rows.get(clock)
        if (row !== undefined) rows.push(row)
      }
    }
    return rows
  }
}
