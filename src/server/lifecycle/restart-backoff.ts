/** A worker that has run for this long, in ms, is healthy: it is started again at once. An earlier death is an early one. */
export const HEALTHY_UPTIME_MS = 30_000
/** The longest wait before a restart after the first early death of a worker, in ms. It doubles with each further early death. */
export const FIRST_DELAY_MS = 200
/** The longest wait before any restart, in ms. */
export const MAX_DELAY_MS = 30_000

/** The delays before the restarts of one worker. While it dies before it is healthy, they grow exponentially, with jitter. */
export class RestartBackoff {
  readonly #random: () => number
  #earlyDeaths = 0

  /** @param random returns numbers in [0, 1) */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Returns how long to wait before the worker is started again, in ms, and counts its death. */
  nextDelay(uptimeMs: number): number {
    if (uptimeMs >= HEALTHY_UPTIME_MS) {
      this.#earlyDeaths = 0
      return 0
    }
    const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#earlyDeaths)
    this.#earlyDeaths += 1
    // Half of it is random, so that workers that die of the same cause do not all start at the same moment.
    return Math.round(longest / 2 + (longest / 2) * this.#random())
  }
}
