import type { Timers } from "../../timers.ts"

/** How many items of one connection are taken at once in one turn of the event loop. A well-behaved client's burst fits. */
const SHARE = 16

/** How long items beyond the shares are taken in one turn of the event loop, for all connections together, in ms. */
const TURN_MS = 1

/** The size of an item up to which decoding it takes microseconds, in characters or bytes. */
const SMALL = 4_096

/**
 * Shares the turns of the event loop among connections, so that one that sends much at once delays no other.
 *
 * A few small items of a connection are taken at once. Items beyond that share, and large ones when the turn has no time
 * left, wait for the next turns, in which all waiting connections take one item each, round after round. Phoenix needs
 * nothing like it, because its runtime schedules processes fairly. Without it, twenty clients that join a hundred topics
 * each would delay all other clients by the time that two thousand joins take.
 */
export class FairQueue {
  readonly #timers: Timers
  #waiting: ConnectionQueue<unknown>[] = []
  #turn = 0
  /** When the current turn has no more time for items beyond the shares. */
  #turnEnds = 0
  #isInTurn = false
  readonly #endTurn: () => void

  constructor(timers: Timers) {
    this.#timers = timers
    this.#endTurn = () => {
      this.#isInTurn = false
      if (this.#waiting.length > 0) void this.#takeWaiting()
    }
  }

  /** The number of the current turn. */
  get turn(): number {
    if (!this.#isInTurn) this.#beginTurn()
    return this.#turn
  }

  /** Whether a connection with `taken` items in this turn may have one more taken, of this size. */
  hasTimeFor(taken: number, size: number): boolean {
    return taken < SHARE && (size <= SMALL || this.#timers.now() < this.#turnEnds)
  }

  /** Adds a connection to those that wait. */
  wait(connection: ConnectionQueue<unknown>): void {
    this.#waiting.push(connection)
  }

  #beginTurn(): void {
    this.#isInTurn = true
    this.#turn += 1
    this.#turnEnds = this.#timers.now() + TURN_MS
    this.#timers.soon(this.#endTurn)
  }

  async #takeWaiting(): Promise<void> {
    this.#beginTurn()
    const waiting = this.#waiting
    this.#waiting = []
    do {
      const connection = waiting.shift()!
      if (connection.takeNext()) waiting.push(connection)
      // Channels handle a message in a microtask: that time counts, too.
      await undefined
    } while (waiting.length > 0 && this.#timers.now() < this.#turnEnds)
    this.#waiting = [...waiting, ...this.#waiting]
  }
}

/** Consumes the items of a connection, in order. */
export interface Consumer<Item> {
  take(item: Item): void
}

/** The items of one connection, in order, each taken now or in one of the next turns. */
export class ConnectionQueue<Item> {
  readonly #fairQueue: FairQueue
  readonly #consumer: Consumer<Item>
  #turn = 0
  /** How many items were taken in `#turn`. */
  #taken = 0
  #waiting: { readonly items: Item[]; readonly done: Promise<void>; resolve(): void } | undefined

  constructor(fairQueue: FairQueue, consumer: Consumer<Item>) {
    this.#fairQueue = fairQueue
    this.#consumer = consumer
  }

  /** While items wait, a promise that resolves when all of them have been taken or dropped. */
  get waiting(): Promise<void> | undefined {
    return this.#waiting?.done
  }

  /** Has an item taken now, or in a later turn. `size`: how much there is to decode, in characters or bytes. */
  add(item: Item, size: number): void {
    if (this.#waiting !== undefined) {
      this.#waiting.items.push(item)
      return
    }
    const { turn } = this.#fairQueue
    if (this.#turn !== turn) {
      this.#turn = turn
      this.#taken = 0
    }
    if (this.#fairQueue.hasTimeFor(this.#taken, size)) {
      this.#taken += 1
      this.#consumer.take(item)
      return
    }
    let resolve = nothing
    const done = new Promise<void>((settle) => (resolve = settle))
    this.#waiting = { items: [item], done, resolve }
    this.#fairQueue.wait(this)
  }

  /** Has the next waiting item taken, and returns whether more wait. */
  takeNext(): boolean {
    const item = this.#waiting?.items.shift()
    if (item !== undefined) this.#consumer.take(item)
    if (this.#waiting !== undefined && this.#waiting.items.length > 0) return true
    this.drop()
    return false
  }

  /** Drops the waiting items. */
  drop(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }
}

function nothing(): void {
  // Replaced by the promise's own `resolve` at once.
}
