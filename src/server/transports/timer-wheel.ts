import type { Timers } from "../../timers.ts"

/** How many steps a timeout is cut into: a connection may live that fraction longer than it says. */
const STEPS = 60

/** What can be watched, by one wheel: it keeps the slot in which it stands, which is cheaper than to look it up. */
export interface Watched {
  slot?: Set<Watched> | undefined
}

/**
 * Finds the connections that have been silent too long, with one timer for all of them.
 *
 * Each stands in the slot of its last sign of life; with every step one slot has had its time.
 */
export class TimerWheel<Item extends Watched> {
  readonly #timers: Timers
  readonly #stepMs: number
  readonly #expire: (item: Item) => void
  readonly #slots: Set<Item>[] = Array.from({ length: STEPS + 1 }, () => new Set<Item>())
  #step = 0
  #count = 0
  #timer: unknown

  constructor(timers: Timers, timeoutMs: number, expire: (item: Item) => void) {
    this.#timers = timers
    this.#stepMs = timeoutMs / STEPS
    this.#expire = expire
  }

  /** A sign of life. */
  touch(item: Item): void {
    const now = this.#slots[this.#step] as Set<Item>
    if (item.slot === now) return
    if (item.slot === undefined) this.#count += 1
    item.slot?.delete(item)
    now.add(item)
    item.slot = now as Set<Watched>
    this.#timer ??= this.#timers.set(() => this.#turn(), this.#stepMs)
  }

  forget(item: Item): void {
    if (item.slot?.delete(item) === true) this.#count -= 1
    item.slot = undefined
  }

  /** Everyone who is watched. */
  *items(): Iterable<Item> {
    for (const slot of this.#slots) yield* slot
  }

  stop(): void {
    this.#timers.clear(this.#timer)
    this.#timer = undefined
  }

  #turn(): void {
    this.#step = (this.#step + 1) % this.#slots.length
    const expired = this.#slots[this.#step] as Set<Item>
    for (const item of expired) {
      this.forget(item)
      this.#expire(item)
    }
    this.#timer = this.#count > 0 ? this.#timers.set(() => this.#turn(), this.#stepMs) : undefined
  }
}
