import { RollcallError } from "../error.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { decodeMessage, encodeMessage, type Message } from "./messages.ts"
import { nodeOf } from "./ref.ts"

/** What a link is given. */
export interface LinkOptions {
  readonly pubsub: PubSub
  readonly topic: string
  /** How many shards the tracker has; whoever says another number is refused. */
  readonly shards: number
  readonly maxMessageBytes: number
  readonly count: (name: string) => void
  readonly onError: (error: unknown) => void
}

/** What a link tells. */
export interface LinkEvents {
  /** The bus can be spoken to and heard, for the first time or again. */
  up(): void
  /** The engine is away; it comes back by itself. */
  down(): void
  /** A message that is one, from another node. */
  message(message: Message, node: string): void
  /** The bus knows that a node is gone. */
  nodeDown(node: string): void
}

/** Nodes whose other pool size has been complained of; enough to see what is wrong, and bounded. */
const MAX_COMPLAINTS = 100

/** A shard's place on the bus: messages out and in, and the bad ones counted. Nothing here throws into the bus. */
export class Link {
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #undos: (() => void)[] = []
  readonly #complaints = new Set<string>()
  #subscribed = false
  #muted = false
  #closed = false

  constructor(options: LinkOptions, events: LinkEvents) {
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

  /** Says something to all other nodes. */
  publish(message: Message): void {
    this.#out(() => this.#options.pubsub.publish(this.#options.topic, encodeMessage(message)))
  }

  /** Says something to one node. */
  send(node: string, message: Message): void {
    this.#out(() => this.#options.pubsub.send(node, this.#options.topic, encodeMessage(message)))
  }

  /** What cannot be sent is reported: the others see by the clocks that they lack it, and ask. */
  #out(send: () => void): void {
    if (!this.connected) return
    try {
      send()
    } catch (error) {
      this.#options.count("tracker_unsent")
      this.#options.onError(error)
    }
  }

  #receive(bytes: Uint8Array, from: string): void {
    if (this.#closed) return
    const { pubsub, shards, count, maxMessageBytes } = this.#options
    const message = decodeMessage(bytes, maxMessageBytes)
    if (typeof message === "string") return count(`tracker_refused_${message}`)
    const node = nodeOf(message.ref)
    if (node === pubsub.node) return count("tracker_refused_echo")
    if (node !== from) return count("tracker_refused_sender")
    if (message.shards !== shards) return this.#refusePool(node, message.shards)
    this.#events.message(message, node)
  }

  #refusePool(node: string, shards: number): void {
    this.#options.count("tracker_refused_pool")
    if (this.#complaints.has(node) || this.#complaints.size >= MAX_COMPLAINTS) return
    this.#complaints.add(node)
    const expected = `expected the poolSize ${this.#options.shards} of this node on all others`
    this.#options.onError(new RollcallError("pool_size_mismatch", `${expected}, got ${shards} from ${node}`))
  }
}
