import type { Ranges } from "./ranges.ts"
import type { Meta, Row } from "./row.ts"

/** A live row; in its place the clock of a removed row, until the array is compacted. */
type Place<M> = Row<M> | number

/**
 * The live rows of one replica, which have been added and not removed, in the order of their clocks.
 *
 * Rows nearly always arrive in ascending order of their clocks, so they are kept in an array. A new row is pushed at the
 * end, growing needs no rehashing, and the rows of a range of clocks are neighbours. A removed row leaves its clock. The
 * array is compacted when more than half of it is clocks of removed rows.
 */
export class LiveRows<M = Meta> {
  #places: Place<M>[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /**
   * Adds new rows in ascending order of their clocks. All of them may be lower than those that are here, as in the chunks of a
   * state, which begin with the highest clocks. If the two overlap, all rows are sorted again.
   */
  add(rows: readonly Row<M>[]): void {
    const [first, last] = [rows[0], rows.at(-1)]
    if (first === undefined || last === undefined) return
    const [lowest, highest] = [this.#places[0], this.#places.at(-1)]
    if (highest === undefined) this.#fill(rows.slice())
    else if (first.clock > clockOf(highest)) for (const row of rows) this.push(row)
    else if (lowest !== undefined && last.clock < clockOf(lowest)) this.#fill([...rows, ...this.all()])
    else this.#fill(sortByClock([...this.all(), ...rows]))
  }

  /** Adds a row whose clock is higher than all others. */
  push(row: Row<M>): void {
    this.#places.push(row)
    this.#size += 1
  }

  /** Removes the row with this clock, if there is one. */
  delete(clock: number): void {
    const at = this.#indexOf(clock)
    const place = this.#places[at]
    if (typeof place !== "object" || place.clock !== clock) return
    this.#places[at] = clock
    this.#size -= 1
    if (this.#size < this.#places.length / 2) this.#fill(this.all())
  }

  /**
   * Returns the rows whose clocks are in `ranges`, ascending. The cost depends on the number of rows found, not on the
   * length of the ranges.
   */
  within(ranges: Ranges): Row<M>[] {
    const rows: Row<M>[] = []
    for (let i = 0; i < ranges.length; i += 2) {
      const to = ranges[i + 1]!
      for (let at = this.#indexOf(ranges[i]!); at < this.#places.length; at++) {
        const place = this.#places[at]!
        if (clockOf(place) > to) break
        if (typeof place === "object") rows.push(place)
      }
    }
    return rows
  }

  /** Returns all rows, ascending. */
  all(): Row<M>[] {
    // The result is a copy, because payloads keep it. If there are no clocks of removed rows, a slice takes a third of a
    // filter's time.
    if (this.#size === this.#places.length) return this.#places.slice() as Row<M>[]
    return this.#places.filter((place) => typeof place === "object")
  }

  /** Returns the index of a clock, or the index at which it would be inserted. */
  #indexOf(clock: number): number {
    let low = 0
    let high = this.#places.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (clockOf(this.#places[middle]!) < clock) low = middle + 1
      else high = middle
    }
    return low
  }

  #fill(rows: Row<M>[]): void {
    this.#places = rows
    this.#size = rows.length
  }
}

function clockOf(place: Place<unknown>): number {
  return typeof place === "number" ? place : place.clock
}

/** Sorts rows in place by ascending clock. */
export function sortByClock<M>(rows: Row<M>[]): Row<M>[] {
  return rows.sort((left, right) => left.clock - right.clock)
}
