import { hasCode } from "./errors.ts"

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

/** The retries that are left for one service. */
class RetryBudget {
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

/**
 * Limits the retries of each service to a share of its calls. Without it, a caller with two retries would triple the load of
 * services that fail because of their load.
 */
export class RetryBudgets {
  readonly #share: number
  /** Only services with an instance have one: any name can be called. */
  readonly #budgets = new Map<string, RetryBudget>()

  constructor(share: number) {
    this.#share = share
  }

  /** Counts a call for which there was an instance. */
  called(service: string): void {
    this.#of(service).called()
  }

  /** Takes one retry. Returns whether there was one. */
  take(service: string): boolean {
    return this.#of(service).take()
  }

  #of(service: string): RetryBudget {
    let budget = this.#budgets.get(service)
    if (budget === undefined) this.#budgets.set(service, (budget = new RetryBudget(this.#share)))
    return budget
  }
}

/** Whether another instance may succeed: all errors but those of handlers, of the program, and of the caller's abort. */
export function isTransient(error: unknown): boolean {
  return hasCode(error, "timeout", "instance_gone", "draining", "overloaded", "stream_gap")
}
