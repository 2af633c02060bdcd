import { RollcallError } from "../error.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { TrackerCounter } from "./counter-names.ts"
import { decodeMessage, encodeMessage, type Message } from "./tracker-messages.ts"
import { nodeOf } from "./replica-ref.ts"

/** What a link is given. */
export interface BusAdapterOptions {
  readonly pubsub: PubSub
  readonly topic: string
  /** How many shards the tracker has; whoever says another number is refused. */
  readonly shards: number
  readonly maxMessageBytes: number
  readonly count: (name: TrackerCounter) => void
  readonly onError: (error: unknown) => void
}

/** What a link tells. */
export interface BusAdapterEvents {
  /** The bus can be spoken to and heard, for the first time or again. */
  up(): void
  /** The engine is away; it comes back by itself. */
  down(): void
  /** A message that is one, from another node. */
  message(message: Message, node: string): void
  /** The bus knows that a node is gone. */
  nodeDown(node: string): void
}

/** Of how many nodes something is complained of; enough to see what is wrong, and bounded. */
const MAX_COMPLAINTS = 100

/** A shard's place on the bus: messages out and in, and the bad ones counted. Nothing here throws into the bus. */
export class BusAdapter {
  readonly #options: BusAdapterOptions
  readonly #events: BusAdapterEvents
  readonly #undos: (() => void)[] = []
  /** What has been complained of, and whom: once is enough. */
  readonly #complaints = new Set<string>()
  #subscribed = false
  #muted = false
  #closed = false

  constructor(options: BusAdapterOptions, events: BusAdapterEvents) {
    this.#options = options
    this.#events = events
  }

  /** Whether others can be heard and spoken to. */
  get connected(): boolean {
    return this.#subscribed && !this.#muted && !this.#closed && this.#options.pubsub.status === "connected"
  }

  /** Starts to listen; `up` follows once the engine has confirmed it. */
  open(): void {
    const { pubsub, topic, onError } = this.#options
    const undo = pubsub.onStatus((status) => {
      if (status !== "connected") this.#events.down()
      else if (this.#subscribed) this.#events.up()
    })
    this.#undos.push(undo)
    const undoNodeDown = pubsub.onNodeDown?.((node) => this.#events.nodeDown(node))
    if (undoNodeDown !== undefined) this.#undos.push(undoNodeDown)
    if (pubsub.status !== "connected") this.#events.down()
    const subscribed = (unsubscribe: () => void): void => {
      if (this.#closed) return unsubscribe()
      this.#undos.push(unsubscribe)
      this.#subscribed = true
      if (this.connected) this.#events.up()
    }
    pubsub
      .subscribe(topic, (bytes, from) => this.#receive(bytes, from))
      .then(subscribed, (error: unknown) => this.#closed || onError(error))
  }

  /** Only listens from now on. */
  mute(): void {
    this.#muted = true
  }

  close(): void {
    this.#closed = true
    for (const undo of this.#undos) undo()
  }

  /** Says something to all other nodes, unless it is larger than they look at; tells whether it was small enough. */
  publish(message: Message): boolean {
    const { pubsub, topic, maxMessageBytes } = this.#options
    return this.#out(message, maxMessageBytes, (bytes) => pubsub.publish(topic, bytes))
  }

  /** Says something to one node, unless it is larger than `maxBytes`; tells whether it was small enough. */
  send(node: string, message: Message, maxBytes: number = Infinity): boolean {
    const { pubsub, topic } = this.#options
    return this.#out(message, maxBytes, (bytes) => pubsub.send(node, topic, bytes))
  }

  /** What cannot be sent is reported: the others see by the clocks that they lack it, and ask. */
  #out(message: Message, maxBytes: number, send: (bytes: Uint8Array) => void): boolean {
    if (!this.connected) return true
    try {
      const bytes = encodeMessage(message)
      if (bytes.length > maxBytes) return false
      send(bytes)
    } catch (error) {
      // The bus itself may have a lower bound.
      if (maxBytes < Infinity && (error as { code?: unknown } | undefined)?.code === "payload_too_large") return false
      this.#options.count("tracker_unsent")
      this.#options.onError(error)
    }
    return true
  }

  #receive(bytes: Uint8Array, from: string): void {
    if (this.#closed) return
    const { pubsub, shards, count, maxMessageBytes } = this.#options
    const message = decodeMessage(bytes, maxMessageBytes)
    if (typeof message === "string") {
      count(`tracker_refused_${message}`)
      if (message === "version") {
        this.#complain("version_mismatch", from, "expected messages of this node's version, got another one")
      } else if (message === "oversize") {
        const expected = `expected a message of at most ${maxMessageBytes} bytes`
        this.#complain("oversize", from, `${expected}, got ${bytes.length}`)
      }
      return
    }
    const node = nodeOf(message.ref)
    if (node === pubsub.node) return count("tracker_refused_echo")
    if (node !== from) return count("tracker_refused_sender")
    if (message.shards === shards) return this.#events.message(message, node)
    count("tracker_refused_pool")
    const expected = `expected the poolSize ${shards} of this node on all others`
    this.#complain("pool_size_mismatch", node, `${expected}, got ${message.shards}`)
  }

  /** Reports what keeps another node from being heard, which nobody would see by a counter alone. */
  #complain(code: string, node: string, message: string): void {
    const complaint = `${code} ${node}`
    if (this.#complaints.has(complaint) || this.#complaints.size >= MAX_COMPLAINTS) return
    this.#complaints.add(complaint)
    this.#options.onError(new RollcallError(code, `${message} from ${node}`))
  }
}
