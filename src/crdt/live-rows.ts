import type { Ranges } from "./ranges.ts"
import type { Row } from "./row.ts"

/**
 * The rows of one replica that stand, in the order of their clocks.
 *
 * Clocks are given out in ascending order and told of in it, nearly always: a row is pushed at the end of an array,
 * which never hashes anew as it grows, and the rows of a range of clocks stand side by side. A removed row leaves a
 * hole; when more than half are holes, they go.
 */
export class LiveRows {
  #clocks: number[] = []
  #rows: (Row | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds rows of which none is here, in ascending order. Late ones cost as much as there are rows. */
  add(rows: readonly Row[]): void {
    if (rows.length === 0) return
    if (rows[0]!.clock <= (this.#clocks.at(-1) ?? 0)) return this.#fill(inOrder([...this.all(), ...rows]))
    for (const row of rows) this.push(row)
  }

  /** Adds a row whose clock is higher than all others. */
  push(row: Row): void {
    this.#clocks.push(row.clock)
    this.#rows.push(row)
    this.#size += 1
  }

  /** Removes the row of a clock; one that is not here is no matter. */
  delete(clock: number): void {
    const at = this.#indexOf(clock)
    if (this.#clocks[at] !== clock || this.#rows[at] === undefined) return
    this.#rows[at] = undefined
    this.#size -= 1
    if (this.#size < this.#rows.length / 2) this.#fill(this.all())
  }

  /** The rows whose clocks lie in `ranges`, ascending; what they cost is how many there are, whatever the ranges' length. */
  within(ranges: Ranges): Row[] {
    const rows: Row[] = []
    for (let i = 0; i < ranges.length; i += 2) {
      const to = ranges[i + 1]!
      for (let at = this.#indexOf(ranges[i]!); at < this.#clocks.length && this.#clocks[at]! <= to; at++) {
        const row = this.#rows[at]
        if (row !== undefined) rows.push(row)
      }
    }
    return rows
  }

  /** All of them, ascending. */
  all(): Row[] {
    // A copy, as payloads keep it; where there are no holes, for a third of the price.
    if (this.#size === this.#rows.length) return this.#rows.slice() as Row[]
    return this.#rows.filter((row) => row !== undefined)
  }

  /** Where a clock is, or would be. */
  #indexOf(clock: number): number {
    let low = 0
    let high = this.#clocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#clocks[middle]! < clock) low = middle + 1
      else high = middle
    }
    return low
  }

  #fill(rows: Row[]): void {
    this.#clocks = rows.map((row) => row.clock)
    this.#rows = rows
    this.#size = rows.length
  }
}

/** The same rows by ascending clock. */
export function inOrder(rows: Row[]): Row[] {
  return rows.sort((left, right) => left.clock - right.clock)
}
