import { RollcallError } from "../error.ts"
import { Listeners } from "../listeners.ts"
import type { PubSub, PubSubStatus, Receive } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Moment, Timeline } from "./timeline.ts"

const MICROSECOND = 0.001

/** What a node asks of the network that it is in. */
export interface Wire {
  readonly timeline: Timeline
  /** Takes a message along, to all others or to those of one name. */
  carry(from: SeededNode, to: string | undefined, topic: string, bytes: Uint8Array): void
  /** How long the engine takes to confirm a subscription. */
  delay(): number
  gone(node: SeededNode, seen: boolean): void
}

/** One node of a `SeededNetwork`: its bus, its time, and the ways to make it suffer. */
export class SeededNode {
  readonly name: string
  /** The node's end of the bus. */
  readonly pubsub: PubSub
  /** The node's clock and timers: virtual. Reading the clock takes a microsecond. */
  readonly timers: Timers
  readonly #wire: Wire
  readonly #subscriptions = new Set<{ readonly topic: string; readonly receive: Receive }>()
  readonly #statusListeners = new Listeners<[status: PubSubStatus]>()
  readonly #nodeDownListeners = new Listeners<[node: string]>()
  /** What became due while the node was stopped. */
  #held: (() => void)[] | undefined
  #status: PubSubStatus = "connected"
  #read = 0
  #alive = true

  /** Nodes are made by `SeededNetwork.node`. */
  constructor(name: string, wire: Wire, seesNodesDie: boolean) {
    this.name = name
    this.#wire = wire
    this.timers = this.#makeTimers()
    this.pubsub = this.#makePubSub(seesNodesDie)
  }

  /** Whether it has neither crashed nor closed its bus. */
  get alive(): boolean {
    return this.#alive
  }

  /** Ends it without a goodbye, as `kill -9` does: nothing of it runs any more. What it has sent is still under way. */
  crash(): void {
    this.#end(true)
  }

  /** Stops it, as SIGSTOP does: time passes, and neither timers nor messages reach it. */
  pause(): void {
    this.#held ??= []
  }

  /** Lets it go on: what became due in the meantime happens now, in order. */
  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const run of held) this.#set(run, 0)
  }

  /** Takes its connection to the engine away: what it sends and what is sent to it is lost, and it knows. */
  disconnect(): void {
    this.#become("disconnected")
  }

  /** Gives the connection back; the subscriptions stand again. */
  reconnect(): void {
    this.#become("connected")
  }

  /** @internal */
  deliver(topic: string, bytes: Uint8Array, from: string): void {
    this.#run(() => {
      if (this.#status !== "connected") return
      for (const subscription of this.#subscriptions) {
        if (subscription.topic === topic) subscription.receive(bytes, from)
      }
    })
  }

  /** @internal */
  nodeDown(node: string): void {
    this.#run(() => {
      this.#nodeDownListeners.emit(rethrow, node)
    })
  }

  #run(run: () => void): void {
    if (!this.#alive) return
    if (this.#held === undefined) run()
    else this.#held.push(() => this.#run(run))
  }

  #set(run: () => void, ms: number): Moment {
    const { timeline } = this.#wire
    return timeline.set(() => this.#run(run), timeline.now + ms)
  }

  #become(status: PubSubStatus): void {
    if (this.#status === "closed" || this.#status === status) return
    this.#status = status
    this.#run(() => {
      this.#statusListeners.emit(rethrow, status)
    })
  }

  #end(seen: boolean): void {
    if (!this.#alive) return
    this.#alive = false
    this.#status = "closed"
    this.#subscriptions.clear()
    this.#wire.gone(this, seen)
  }

  #makeTimers(): Timers {
    return {
      // A clock moves on while code runs: two readings of one moment are not the same number.
      now: () => (this.#read = Math.max(this.#wire.timeline.now, this.#read + MICROSECOND)),
      set: (run, ms) => {
        // A timer that became due while the node was stopped can still be cleared.
        const timer: { run: (() => void) | undefined } = { run }
        this.#set(() => {
          timer.run?.()
        }, ms)
        return timer
      },
      clear: (timer) => {
        if (timer !== undefined) (timer as { run: (() => void) | undefined }).run = undefined
      },
      soon: (run) => void this.#set(run, 0),
    }
  }

  #makePubSub(seesNodesDie: boolean): PubSub {
    const status = (): PubSubStatus => this.#status
    const pubsub: PubSub = {
      node: this.name,
      get status() {
        return status()
      },
      subscribe: (topic, receive) => this.#subscribe(topic, receive),
      publish: (topic, bytes) => this.#send(undefined, topic, bytes),
      send: (node, topic, bytes) => this.#send(node, topic, bytes),
      onStatus: (listener) => this.#statusListeners.add(listener),
      close: async () => {
        this.#become("closed")
        this.#end(false)
      },
    }
    if (!seesNodesDie) return pubsub
    return {
      ...pubsub,
      get status() {
        return status()
      },
      onNodeDown: (listener) => this.#nodeDownListeners.add(listener),
    }
  }

  #subscribe(topic: string, receive: Receive): Promise<() => void> {
    if (this.#status === "closed") return Promise.reject(this.#closed())
    const subscription = { topic, receive }
    return new Promise((resolve) => {
      this.#set(() => {
        this.#subscriptions.add(subscription)
        resolve(() => void this.#subscriptions.delete(subscription))
      }, this.#wire.delay())
    })
  }

  #send(to: string | undefined, topic: string, bytes: Uint8Array): void {
    this.#assertOpen()
    if (this.#status === "connected") this.#wire.carry(this, to, topic, bytes.slice())
  }

  #assertOpen(): void {
    if (this.#status === "closed") throw this.#closed()
  }

  #closed(): RollcallError {
    return new RollcallError("closed", `The node ${this.name} was closed and stays so`)
  }
}

/** A listener that throws is a defect of the tested code: the run fails. */
function rethrow(cause: unknown): void {
  throw cause
}
