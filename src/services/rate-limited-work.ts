import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"

/** How often work is begun, in ms. */
const TICK_MS = 20

/** Begins pieces of work in order, each key once at a time, and not more than so many in a second. */
export class RateLimitedWork {
  readonly #timers: Timers
  #perTick: number
  readonly #queue = new Map<string, () => Promise<void>>()
  readonly #running = new Set<string>()
  #timer: unknown
  #allowed = 0

  constructor(timers: Timers, perSecond: number) {
    this.#timers = timers
    this.#perTick = (perSecond * TICK_MS) / 1_000
  }

  /** Adds a piece of work, unless one of its key has not ended. Its errors must be handled by itself. */
  add(key: string, work: () => Promise<void>): void {
    if (this.#queue.has(key) || this.#running.has(key)) return
    this.#queue.set(key, work)
    this.#timer ??= setUnref(this.#timers, () => this.#tick(), 0)
  }

  /** Raises the rate, if it must be higher to begin what is waiting within a time. */
  hurry(ms: number): void {
    this.#perTick = Math.max(this.#perTick, (this.#queue.size * TICK_MS) / Math.max(ms, TICK_MS))
  }

  close(): void {
    this.#queue.clear()
    this.#timers.clear(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    // What was not used is not saved up, beyond the rest of one piece.
    this.#allowed = Math.min(this.#allowed, 1) + this.#perTick
    for (const [key, work] of this.#queue) {
      if (this.#allowed < 1) break
      this.#allowed -= 1
      this.#queue.delete(key)
      this.#running.add(key)
      void work().finally(() => this.#running.delete(key))
    }
    this.#timer = this.#queue.size === 0 ? undefined : setUnref(this.#timers, () => this.#tick(), TICK_MS)
  }
}
