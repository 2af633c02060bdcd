const STEPS_PER_MS = 100
const MAX_MS = 10_000

/** A histogram of durations in steps of 0.01 ms, up to ten seconds. Its size does not depend on how many are added. */
export class Latencies {
  #counts = new Uint32Array(MAX_MS * STEPS_PER_MS)
  #count = 0

  add(ms) {
    const step = Math.floor(ms * STEPS_PER_MS)
    this.#counts[Math.min(step, this.#counts.length - 1)] += 1
    this.#count += 1
  }

  /** Returns the number of durations, and their quantiles in ms. */
  summary() {
    return { count: this.#count, p50: this.#quantile(0.5), p99: this.#quantile(0.99), max: this.#quantile(1) }
  }

  #quantile(share) {
    let rest = Math.ceil(this.#count * share)
    for (const [step, count] of this.#counts.entries()) {
      rest -= count
      if (rest <= 0 && this.#count > 0) return (step + 1) / STEPS_PER_MS
    }
    return undefined
  }
}
