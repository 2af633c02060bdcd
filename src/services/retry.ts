/** The first wait before a retry, in ms; each further one is up to twice as long as the one before. */
const FIRST_BACKOFF_MS = 25
/** The longest wait, in ms. */
const MAX_BACKOFF_MS = 1_000

/** Returns the wait before the n-th retry, counted from 1: random, so that the callers of a dead node do not retry together. */
export function backoffMs(retry: number, random: () => number): number {
  return random() * Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** retry)
}

/** The retries that are always allowed, so that a node that makes few calls can retry, too. */
const MIN_RETRIES = 10
/** The most retries that are saved up, as a multiple of the minimum. */
const MAX_SAVED = 100

/**
 * Limits the retries to a share of the calls. Without it, a caller with two retries would triple the load of services that
 * fail because of their load.
 */
export class RetryBudget {
  readonly #share: number
  #left = MIN_RETRIES

  constructor(share: number) {
    this.#share = share
  }

  /** Counts a call. */
  called(): void {
    this.#left = Math.min(MIN_RETRIES * MAX_SAVED, this.#left + this.#share)
  }

  /** Takes one retry. Returns whether there was one. */
  take(): boolean {
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
