/** How far a call may be overtaken by later calls of the same node, in calls. */
const SIZE = 16_384

/**
 * Remembers which numbered calls of one node have come, so that none runs twice: not one that the bus doubles, and not one
 * that was recorded and is sent again.
 *
 * It needs no clock. A number that is further back than the window counts as used.
 */
export class ReplayWindow {
  /** The numbers above `#highest - SIZE` that have come, each at its remainder by `SIZE`. */
  readonly #came = new Uint8Array(SIZE / 8)
  #highest = 0

  /** Marks a number as used. Returns whether it was new. */
  accept(number: number): boolean {
    if (number <= this.#highest - SIZE) return false
    if (number > this.#highest) {
      // The places of the numbers between are those of numbers that leave the window.
      const from = Math.max(this.#highest + 1, number - SIZE + 1)
      for (let skipped = from; skipped <= number; skipped += 1) this.#clear(skipped)
      this.#highest = number
    }
    if (this.#has(number)) return false
    this.#came[this.#byte(number)]! |= this.#bit(number)
    return true
  }

  #has(number: number): boolean {
    return (this.#came[this.#byte(number)]! & this.#bit(number)) !== 0
  }

  #clear(number: number): void {
    this.#came[this.#byte(number)]! &= ~this.#bit(number)
  }

  #byte(number: number): number {
    return (number % SIZE) >> 3
  }

  #bit(number: number): number {
    return 1 << (number & 7)
  }
}
