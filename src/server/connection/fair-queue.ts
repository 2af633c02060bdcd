import type { Timers } from "../../timers.ts"

/** How many items of one connection are consumed at once in one turn of the event loop. The burst of a well-behaved client fits. */
const SHARE = 16

/** How long items beyond the shares are consumed in one turn of the event loop, for all connections together, in ms. */
const TURN_MS = 1

/** The size of an item up to which decoding it takes microseconds, in characters or bytes. */
const SMALL = 4_096

/**
 * Shares the turns of the event loop among connections, so that a connection with many messages does not delay the others.
 *
 * A few small items of a connection are consumed at once. Items beyond that share wait for the next turns, and so do large
 * items when the turn has no time left. In those turns, each waiting connection gets one item consumed per round. Phoenix does
 * not need such a queue, because its context schedules processes fairly. Without it, twenty clients that join a hundred topics
 * each would delay all other clients by the time that two thousand joins take.
 */
export class FairQueue {
  readonly #timers: Timers
  #waiting: ConnectionQueue<unknown>[] = []
  #turn = 0
  /** The time at which the current turn ends for items beyond the shares. */
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

  /** Returns whether a connection that has had `taken` items consumed in this turn may have one more of this size. */
  hasTimeFor(taken: number, size: number): boolean {
    return taken < SHARE && (size <= SMALL || this.#timers.now() < this.#turnEnds)
  }

  /** Adds a connection to the waiting ones. */
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
      // Channels handle a message in a microtask. Its time is part of the turn, too.
      await undefined
    } while (waiting.length > 0 && this.#timers.now() < this.#turnEnds)
    this.#waiting = [...waiting, ...this.#waiting]
  }
}

/** Consumes the items of a connection, in order. */
export interface Consumer<Item> {
  take(item: Item): void
}

/** The items of one connection, in order. Each is consumed at once or in one of the next turns. */
export class ConnectionQueue<Item> {
  readonly #fairQueue: FairQueue
  readonly #consumer: Consumer<Item>
  #turn = 0
  /** How many items were consumed in `#turn`. */
  #taken = 0
  #waiting: { readonly items: Item[]; readonly done: Promise<void>; resolve(): void } | undefined

  constructor(fairQueue: FairQueue, consumer: Consumer<Item>) {
    this.#fairQueue = fairQueue
    this.#consumer = consumer
  }

  /** While items wait, a promise that resolves when all of them have been consumed or dropped. */
  get waiting(): Promise<void> | undefined {
    return this.#waiting?.done
  }

  /** Passes an item to the consumer, now or in a later turn. `size` is the length to decode, in characters or bytes. */
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

  /** Passes the next waiting item to the consumer. Returns whether more items wait. */
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
  // The promise's own `resolve` replaces this at once.
}
