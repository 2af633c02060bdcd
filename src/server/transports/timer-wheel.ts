import type { Timers } from "../../timers.ts"

/** The number of steps in one timeout. An item expires at most one step late, which is 1/60 of the timeout. */
const STEPS = 60
/** An item that was not touched for this many steps is reported, while there is time to touch it. */
const HALF = STEPS / 2

/** An item of a wheel. It stores the slot that contains it, which is cheaper than a lookup. */
export interface WheelItem {
  slot?: Set<WheelItem> | undefined
}

/**
 * Expires items that have not been touched for a timeout, with one timer for all of them.
 *
 * Each item is in the slot of the step in which it was last touched. With every step, the items of the oldest slot expire.
 */
export class TimerWheel<Item extends WheelItem> {
  readonly #timers: Timers
  readonly #stepMs: number
  readonly #expire: (item: Item) => void
  readonly #remind: (item: Item) => void
  readonly #slots: Set<Item>[] = Array.from({ length: STEPS + 1 }, () => new Set<Item>())
  #step = 0
  #size = 0
  #timer: unknown

  /**
   * @param expire is called with each item that was not touched for `timeoutMs`, after the item was removed
   * @param remind is called once with each item that was not touched for half of `timeoutMs`
   */
  constructor(
    timers: Timers,
    timeoutMs: number,
    expire: (item: Item) => void,
    remind: (item: Item) => void = () => undefined,
  ) {
    this.#timers = timers
    this.#stepMs = timeoutMs / STEPS
    this.#expire = expire
    this.#remind = remind
  }

  /** Restarts the timeout of an item. Adds the item if the wheel does not hold it. */
  touch(item: Item): void {
    const current = this.#slots[this.#step] as Set<Item>
    if (item.slot === current) return
    if (item.slot === undefined) this.#size += 1
    item.slot?.delete(item)
    current.add(item)
    item.slot = current
    this.#timer ??= this.#timers.set(() => this.#advance(), this.#stepMs)
  }

  remove(item: Item): void {
    if (item.slot?.delete(item) === true) this.#size -= 1
    item.slot = undefined
  }

  /** All items that the wheel holds. */
  *items(): Iterable<Item> {
    for (const slot of this.#slots) yield* slot
  }

  /** Stops the timer. A later `touch` starts it again. */
  stop(): void {
    this.#timers.clear(this.#timer)
    this.#timer = undefined
  }

  #advance(): void {
    this.#step = (this.#step + 1) % this.#slots.length
    // A copy: an item that is touched when it expires is added to this slot again.
    const expired = [...(this.#slots[this.#step] as Set<Item>)]
    for (const item of expired) {
      this.remove(item)
      this.#expire(item)
    }
    const silent = this.#slots[(this.#step + this.#slots.length - HALF) % this.#slots.length] as Set<Item>
    for (const item of silent) this.#remind(item)
    this.#timer = this.#size > 0 ? this.#timers.set(() => this.#advance(), this.#stepMs) : undefined
  }
}
