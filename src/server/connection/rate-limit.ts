/** How often something happens in a second, without a timer. */
export class RateLimiter {
  #second = 0
  #count = 0

  /**
   * Counts one more, and tells whether it is one too many of its second.
   * @param now milliseconds since some fixed moment
   */
  exceeds(max: number, now: number): boolean {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#count = 0
    }
    this.#count += 1
    return this.#count > max
  }
}
