const SECOND_MS = 1_000

/** The number of groups into which a second is divided. */
const GROUPS = 32

/** Events within 1/32 s, which are counted and forgotten together. */
interface Group {
  readonly first: number
  last: number
  count: number
  /** The group after this one. A list of groups takes less memory than an array: most connections have one group. */
  next: Group | undefined
}

/**
 * A sliding-window rate limiter without timers: never more than `max` events pass in any second.
 *
 * A window of fixed seconds would let `max` events pass at the end of one second and `max` more at the beginning of the next.
 * This limiter counts events in groups of at most 1/32 s. A group counts until its last event is a second old. So memory is
 * bounded by 33 groups, an even stream passes at up to 96 % of `max`, and a burst of `max` events passes every second.
 */
export class RateLimiter {
  #oldest: Group | undefined
  #newest: Group | undefined
  /** The events of all groups. */
  #count = 0

  /**
   * Counts an event and returns `false`, or returns `true` when the event exceeds the limit. An event that exceeds it is not
   * counted: a client that tries again while it is refused does not prolong the refusal.
   * @param now milliseconds since any fixed moment, never less than before
   */
  exceeds(max: number, now: number): boolean {
    this.#forgetBefore(now - SECOND_MS)
    if (this.#count + 1 > max) return true
    this.#count += 1
    const newest = this.#newest
    if (newest !== undefined && now < newest.first + SECOND_MS / GROUPS) {
      newest.last = now
      newest.count += 1
      return false
    }
    const group: Group = { first: now, last: now, count: 1, next: undefined }
    if (newest === undefined) this.#oldest = group
    else newest.next = group
    this.#newest = group
    return false
  }

  /** Returns how many ms will pass until fewer than `max` of the counted events are less than a second old; 0 if that is now. */
  msUntilBelow(max: number, now: number): number {
    if (this.#count < max) return 0
    this.#forgetBefore(now - SECOND_MS)
    let count = this.#count
    let end = now
    for (let group = this.#oldest; group !== undefined && count >= max; group = group.next) {
      count -= group.count
      end = group.last + SECOND_MS
    }
    return end - now
  }

  #forgetBefore(end: number): void {
    while (this.#oldest !== undefined && this.#oldest.last <= end) {
      this.#count -= this.#oldest.count
      this.#oldest = this.#oldest.next
    }
    if (this.#oldest === undefined) this.#newest = undefined
  }
}
