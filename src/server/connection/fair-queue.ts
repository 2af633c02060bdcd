import type { Timers } from "../../timers.ts"

/** How many frames of one connection are taken in one turn of the event loop: a burst of a well-behaved client is one. */
const SHARE = 16

/** How long, in one turn, who has more to say is listened to, all of them together, in ms. */
const TURN_MS = 1

/** What is small, in characters or bytes: what takes microseconds to read. */
const SMALL = 4_096

/**
 * Shares the turns of the event loop among connections, so that one that says much at once keeps nobody waiting.
 *
 * Who says a few small things is heard at once. What is beyond that share, or large while this turn has no more time,
 * waits for the next turns, where all who wait are heard in rounds, a frame each. Phoenix needs nothing of the kind: its
 * runtime takes turns by itself. Without it, twenty clients that join a hundred topics each would hold up everybody else
 * for as long as two thousand joins take.
 */
export class FairQueue {
  readonly #timers: Timers
  #waiting: ConnectionQueue<unknown>[] = []
  #number = 0
  /** When this turn has no more time for who says much. */
  #ends = 0
  #isOpen = false
  readonly #end: () => void

  constructor(timers: Timers) {
    this.#timers = timers
    this.#end = () => {
      this.#isOpen = false
      if (this.#waiting.length > 0) void this.#hearWaiting()
    }
  }

  /** The present turn. */
  get number(): number {
    if (!this.#isOpen) this.#begin()
    return this.#number
  }

  /** Whether who has said so many things in this turn may say one more, of such a size. */
  hasTimeFor(said: number, size: number): boolean {
    return said < SHARE && (size <= SMALL || this.#timers.now() < this.#ends)
  }

  /** Gives a share its place among those who wait. */
  wait(share: ConnectionQueue<unknown>): void {
    this.#waiting.push(share)
  }

  #begin(): void {
    this.#isOpen = true
    this.#number += 1
    this.#ends = this.#timers.now() + TURN_MS
    this.#timers.soon(this.#end)
  }

  async #hearWaiting(): Promise<void> {
    this.#begin()
    const waiting = this.#waiting
    this.#waiting = []
    do {
      const share = waiting.shift()!
      if (share.takeNext()) waiting.push(share)
      // What was said is to be done before the time is looked at: channels take it up in a microtask.
      await undefined
    } while (waiting.length > 0 && this.#timers.now() < this.#ends)
    this.#waiting = [...waiting, ...this.#waiting]
  }
}

/** Whoever takes what a connection says, in order. */
export interface Consumer<Item> {
  take(item: Item): void
}

/** One connection's share of the turns. */
export class ConnectionQueue<Item> {
  readonly #turns: FairQueue
  readonly #taker: Consumer<Item>
  #turn = 0
  /** How much was taken in this turn. */
  #taken = 0
  #waiting: { readonly items: Item[]; readonly done: Promise<void>; resolve(): void } | undefined

  constructor(turns: FairQueue, taker: Consumer<Item>) {
    this.#turns = turns
    this.#taker = taker
  }

  /** While something waits for its turn: resolves when all of it has been taken, or is dropped. */
  get waiting(): Promise<void> | undefined {
    return this.#waiting?.done
  }

  /** Has something taken now, or when its turn comes. `size`: how much there is to read, in characters or bytes. */
  add(item: Item, size: number): void {
    if (this.#waiting !== undefined) {
      this.#waiting.items.push(item)
      return
    }
    const { number } = this.#turns
    if (this.#turn !== number) {
      this.#turn = number
      this.#taken = 0
    }
    if (this.#turns.hasTimeFor(this.#taken, size)) {
      this.#taken += 1
      this.#taker.take(item)
      return
    }
    let resolve = nothing
    const done = new Promise<void>((settle) => (resolve = settle))
    this.#waiting = { items: [item], done, resolve }
    this.#turns.wait(this)
  }

  /** Has the next of what waits taken, and tells whether there is more. */
  takeNext(): boolean {
    const item = this.#waiting?.items.shift()
    if (item !== undefined) this.#taker.take(item)
    if (this.#waiting !== undefined && this.#waiting.items.length > 0) return true
    this.drop()
    return false
  }

  /** Forgets what waits. */
  drop(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function nothing(): void {
  // Until a promise has given its own.
}
