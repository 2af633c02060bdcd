/** The uptime from which on a worker process counts as healthy, in ms: if it dies later, it is started again at once. */
export const HEALTHY_UPTIME_MS = 30_000
/** The longest wait before the first restart of a worker that died earlier, in ms. It doubles with each further restart. */
export const FIRST_DELAY_MS = 200
/** The longest wait before any restart, in ms. */
export const MAX_DELAY_MS = 30_000

/** The delays before the restarts of one worker. While it dies before it is healthy, they grow exponentially, with jitter. */
export class RestartBackoff {
  readonly #random: () => number
  #youngDeaths = 0

  /** @param random returns numbers in [0, 1) */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Returns how long to wait before the worker is started again, in ms, and counts its death. */
  nextDelay(uptimeMs: number): number {
    if (uptimeMs >= HEALTHY_UPTIME_MS) {
      this.#youngDeaths = 0
      return 0
    }
    const longest = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#youngDeaths)
    this.#youngDeaths += 1
    // Half of it is random, so that workers that die of the same cause do not all start at the same moment.
    return Math.round(longest / 2 + (longest / 2) * this.#random())
  }
}
