import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import { subscribeForGood } from "../pubsub/lasting-subscription.ts"
import type { PubSub, Receive } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { TrackerCounter } from "./counter-names.ts"
import { decodeMessage, encodeMessage, type Message } from "./tracker-messages.ts"
import { nodeOf } from "./replica-ref.ts"

/** The options of a bus adapter. */
export interface BusAdapterOptions {
  readonly pubsub: PubSub
  readonly topic: string
  readonly timers: Timers
  /** The number of shards of this tracker. Messages of a node with another number are refused. */
  readonly shards: number
  readonly maxMessageBytes: number
  readonly count: (name: TrackerCounter) => void
  readonly onError: (error: unknown) => void
}

/** The callbacks of a bus adapter. */
export interface BusAdapterEvents {
  /** Called when messages can be sent and received, for the first time or again. */
  connected(): void
  /**
   * Called when the engine has lost its connection. It reconnects by itself.
   * @param unansweredMs how long the bus had not answered before
   */
  disconnected(unansweredMs: number): void
  /** Called with each valid message from another node. */
  received(message: Message, node: string): void
  /** Called when the bus reports that a node has ended. */
  nodeDown(node: string): void
}

/**
 * The maximum number of reported errors about other nodes. Further ones are not reported, so that no log is flooded.
 */
const MAX_REPORTS = 100

/**
 * Connects a shard to the bus. It encodes and sends the shard's messages, decodes and checks the messages of other nodes,
 * and counts the refused ones. It never throws into the bus.
 */
export class BusAdapter {
  readonly #options: BusAdapterOptions
  readonly #events: BusAdapterEvents
  readonly #unsubscribes: (() => void)[] = []
  /** The code and the node of each reported error. A node is reported once per code. */
  readonly #reported = new Set<string>()
  #isSubscribed = false
  #isSendingStopped = false
  #isClosed = false

  constructor(options: BusAdapterOptions, events: BusAdapterEvents) {
    this.#options = options
    this.#events = events
  }

  /** Whether messages can be sent and received. */
  get isConnected(): boolean {
    return (
      this.#isSubscribed && !this.#isSendingStopped && !this.#isClosed && this.#options.pubsub.status === "connected"
    )
  }

  /** Subscribes to the topic. `connected` follows when the engine has confirmed the subscription. */
  open(): void {
    const { pubsub, topic, timers, onError } = this.#options
    const unsubscribe = pubsub.onStatus((status) => {
      if (status !== "connected") this.#events.disconnected(pubsub.unansweredMs ?? 0)
      else if (this.#isSubscribed) this.#events.connected()
    })
    this.#unsubscribes.push(unsubscribe)
    const unsubscribeNodeDown = pubsub.onNodeDown?.((node) => this.#events.nodeDown(node))
    if (unsubscribeNodeDown !== undefined) this.#unsubscribes.push(unsubscribeNodeDown)
    if (pubsub.status !== "connected") this.#events.disconnected(0)
    const onSubscribed = (): void => {
      this.#isSubscribed = true
      if (this.isConnected) this.#events.connected()
    }
    const receive: Receive = (bytes, from) => this.#receive(bytes, from)
    this.#unsubscribes.push(subscribeForGood(pubsub, topic, receive, { timers, onSubscribed, onError }))
  }

  /** Stops sending for good. Messages are still received. */
  stopSending(): void {
    this.#isSendingStopped = true
  }

  close(): void {
    this.#isClosed = true
    for (const unsubscribe of this.#unsubscribes) unsubscribe()
  }

  /**
   * Sends a message to all other nodes, unless it is larger than `maxMessageBytes`: they would refuse it.
   * @returns whether it was small enough
   */
  publish(message: Message): boolean {
    const { pubsub, topic, maxMessageBytes } = this.#options
    return this.#send(message, maxMessageBytes, (bytes) => pubsub.publish(topic, bytes))
  }

  /**
   * Sends a message to one node, unless it is larger than `maxBytes`.
   * @returns whether it was small enough
   */
  send(node: string, message: Message, maxBytes: number = Infinity): boolean {
    const { pubsub, topic } = this.#options
    return this.#send(message, maxBytes, (bytes) => pubsub.send(node, topic, bytes))
  }

  /**
   * Sends a message. If that fails, the error is reported and the message is dropped. The clocks of the next heartbeat show
   * the other nodes what they lack, and they request it.
   */
  #send(message: Message, maxBytes: number, transmit: (bytes: Uint8Array) => void): boolean {
    if (!this.isConnected) return true
    try {
      const bytes = encodeMessage(message)
      if (bytes.length > maxBytes) return false
      transmit(bytes)
    } catch (error) {
      // The bus itself may have a lower limit.
      if (maxBytes < Infinity && (error as { code?: unknown } | undefined)?.code === "payload_too_large") return false
      this.#options.count("tracker_unsent")
      this.#options.onError(error)
    }
    return true
  }

  #receive(bytes: Uint8Array, from: string): void {
    if (this.#isClosed) return
    const { pubsub, shards, count, maxMessageBytes } = this.#options
    const message = decodeMessage(bytes, maxMessageBytes)
    if (typeof message === "string") {
      count(`tracker_refused_${message}`)
      if (message === "version") {
        const expected = "expected tracker messages of this node's version"
        this.#reportOnce("version_mismatch", from, `${expected}, got another version`, "run the same release on both")
      } else if (message === "oversize") {
        const expected = `expected a tracker message of at most ${maxMessageBytes} bytes`
        this.#reportOnce(
          "oversize",
          from,
          `${expected}, got ${bytes.length}`,
          "send smaller metas or raise maxMessageBytes",
        )
      }
      return
    }
    const node = nodeOf(message.ref)
    if (node === pubsub.node) return count("tracker_refused_echo")
    if (node !== from) return count("tracker_refused_sender")
    if (message.shards === shards) return this.#events.received(message, node)
    count("tracker_refused_pool")
    const expected = `expected poolSize to be ${shards} on all nodes, as on this one`
    this.#reportOnce("pool_size_mismatch", node, `${expected}, got ${message.shards}`, "set the same poolSize on both")
  }

  /** Reports why another node's messages are refused, since a counter alone would not show which node it is. */
  #reportOnce(code: string, node: string, message: string, remedy: string): void {
    const key = `${code} ${node}`
    if (this.#reported.has(key) || this.#reported.size >= MAX_REPORTS) return
    this.#reported.add(key)
    this.#options.onError(new RollcallError(code, `${message} from ${quote(node).slice(1, -1)}; ${remedy}`))
  }
}
