import { RollcallError } from "../error.ts"
import { Listeners } from "../listeners.ts"
import type { PubSub, PubSubStatus, Receive } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Timeline, TimelineEvent } from "./timeline.ts"

const MICROSECOND = 0.001

/** The part of the network that its nodes use. */
export interface NetworkAccess {
  readonly timeline: Timeline
  /** Sends a message to the nodes named `to`, or to all other nodes. */
  send(from: SeededNode, to: string | undefined, topic: string, bytes: Uint8Array): void
  /** Returns how long the engine takes to confirm a subscription, in ms. */
  delay(): number
  /** Removes a node that has crashed or closed its bus. */
  ended(node: SeededNode, hasCrashed: boolean): void
}

/** One node of a `SeededNetwork`: its bus, its timers, and methods that crash, stop or disconnect it. */
export class SeededNode {
  readonly name: string
  /** The node's end of the bus. */
  readonly pubsub: PubSub
  /** The node's clock and timers, in virtual time. Each reading of the clock takes a microsecond. */
  readonly timers: Timers
  readonly #network: NetworkAccess
  readonly #subscriptions = new Set<{ readonly topic: string; readonly receive: Receive }>()
  readonly #statusListeners = new Listeners<[status: PubSubStatus]>()
  readonly #nodeDownListeners = new Listeners<[node: string]>()
  /** The events that became due while the node was paused; `undefined` while it runs. */
  #held: (() => void)[] | undefined
  /** The number of events of a pause that are still to happen. */
  #replays = 0
  #status: PubSubStatus = "connected"
  #lastReading = 0
  #isAlive = true

  /** Use `SeededNetwork.node` to create a node. */
  constructor(name: string, network: NetworkAccess, seesNodesDie: boolean) {
    this.name = name
    this.#network = network
    this.timers = this.#makeTimers()
    this.pubsub = this.#makePubSub(seesNodesDie)
  }

  /** Whether the node has neither crashed nor closed its bus. */
  get alive(): boolean {
    return this.#isAlive
  }

  /**
   * Ends the node without a goodbye, as `kill -9` does. Its timers do not fire any more. Messages that it has already sent
   * still arrive.
   */
  crash(): void {
    this.#end(true)
  }

  /** Pauses the node, as SIGSTOP does: time passes, but its timers do not fire and it receives no messages. */
  pause(): void {
    this.#held ??= []
  }

  /** Resumes the node. Everything that became due during the pause happens now, in order. */
  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.#replays += held.length
    for (const run of held) {
      this.#setTimer(() => {
        this.#replays -= 1
        run()
      }, 0)
    }
  }

  /**
   * Disconnects the node from the engine. The bus reports the new status to the node. Messages to and from it are lost.
   */
  disconnect(): void {
    this.#setStatus("disconnected")
  }

  /** Reconnects the node. Its subscriptions are restored. */
  reconnect(): void {
    this.#setStatus("connected")
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
    if (!this.#isAlive) return
    if (this.#held === undefined) run()
    else this.#held.push(() => this.#run(run))
  }

  #setTimer(run: () => void, ms: number): TimelineEvent {
    const { timeline } = this.#network
    return timeline.add(() => this.#run(run), timeline.now + ms)
  }

  #setStatus(status: PubSubStatus): void {
    if (this.#status === "closed" || this.#status === status) return
    this.#status = status
    const notify = (): void => this.#statusListeners.emit(rethrow, status)
    // After the events of a pause: a `disconnected` among them would otherwise arrive after this `connected`, and the
    // node would count as disconnected for ever.
    if (this.#replays > 0) this.#setTimer(notify, 0)
    else this.#run(notify)
  }

  #end(hasCrashed: boolean): void {
    if (!this.#isAlive) return
    this.#isAlive = false
    this.#status = "closed"
    this.#subscriptions.clear()
    this.#network.ended(this, hasCrashed)
  }

  #makeTimers(): Timers {
    return {
      // A real clock moves on while code runs, so two readings are never the same number.
      now: () => (this.#lastReading = Math.max(this.#network.timeline.now, this.#lastReading + MICROSECOND)),
      set: (run, ms) => {
        // A timer that became due while the node was paused can still be cleared.
        const timer: { run: (() => void) | undefined } = { run }
        this.#setTimer(() => {
          timer.run?.()
        }, ms)
        return timer
      },
      clear: (timer) => {
        if (timer !== undefined) (timer as { run: (() => void) | undefined }).run = undefined
      },
      soon: (run) => void this.#setTimer(run, 0),
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
        this.#setStatus("closed")
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
      this.#setTimer(() => {
        this.#subscriptions.add(subscription)
        resolve(() => void this.#subscriptions.delete(subscription))
      }, this.#network.delay())
    })
  }

  #send(to: string | undefined, topic: string, bytes: Uint8Array): void {
    this.#assertOpen()
    if (this.#status === "connected") this.#network.send(this, to, topic, bytes.slice())
  }

  #assertOpen(): void {
    if (this.#status === "closed") throw this.#closed()
  }

  #closed(): RollcallError {
    return new RollcallError(
      "closed",
      `expected node ${this.name} to be open, got a closed one; create a new node of this name`,
    )
  }
}

/** Rethrows the exception of a listener, which is a defect of the tested code, so that the run fails. */
function rethrow(cause: unknown): void {
  throw cause
}
