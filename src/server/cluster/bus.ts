import type { DropReason, PubSub } from "../../pubsub/pubsub.ts"
import type { Timers } from "../../timers.ts"
import type { Body } from "../../wire/message.ts"
import { decodeMessage, encodeBroadcast, encodeDisconnect } from "./cluster-messages.ts"
import { withDeadline } from "../deadline.ts"

/** What a server does with what the others say. */
export interface BusHandlers {
  broadcast(topic: string, event: string, body: Body, payload: unknown): void
  disconnect(id: string): void
  /** The engine went away; it comes back by itself. */
  lost(): void
  /** The engine says why a message went no further. */
  stopped(reason: DropReason): void
  /** A message that was refused, or that could not be sent. */
  dropped(error: unknown): void
}

/** Where a topic's broadcasts go on the bus: beside the tracker's topics, never among them. */
const BROADCASTS = "broadcast:"
/** What concerns all nodes. */
const CONTROL = "control"

/** Whether a topic is heard from the other nodes. Held as long as one channel has it. */
interface Subscription {
  channels: number
  /** Resolves with the undo, once the engine has confirmed. */
  readonly ready: Promise<() => void>
  confirmed: boolean
}

/**
 * The server's side of the bus: broadcasts and disconnects to the other nodes, and theirs to ours.
 *
 * A topic is subscribed while it has a channel here. Until the engine has confirmed that, a join is not answered, so
 * that nothing is missed that was sent after its ok.
 */
export class Bus {
  readonly #pubsub: PubSub
  readonly #timers: Timers
  readonly #timeoutMs: number
  readonly #handlers: BusHandlers
  readonly #topics = new Map<string, Subscription>()

  constructor(pubsub: PubSub, timers: Timers, timeoutMs: number, handlers: BusHandlers) {
    this.#pubsub = pubsub
    this.#timers = timers
    this.#timeoutMs = timeoutMs
    this.#handlers = handlers
    pubsub.onStatus((status) => {
      if (status === "disconnected") handlers.lost()
    })
    pubsub.onDrop?.((reason) => handlers.stopped(reason))
    pubsub.subscribe(CONTROL, (bytes) => this.#receive(CONTROL, bytes)).catch((error) => handlers.dropped(error))
  }

  /**
   * Hears a topic for one more channel; `undefined` when it is heard already. Each call is undone by a `leave`, one
   * that rejects included.
   * @returns a promise that rejects with RollcallError `subscribe_timeout` when the engine does not confirm in time
   */
  join(topic: string): Promise<void> | undefined {
    const known = this.#topics.get(topic)
    const subscription = known ?? this.#subscribe(topic)
    subscription.channels += 1
    if (subscription.confirmed) return undefined
    const expected = `the bus to confirm ${topic}`
    const limit = { ms: this.#timeoutMs, timers: this.#timers, code: "subscribe_timeout", expected }
    return withDeadline(subscription.ready, limit).then(() => undefined)
  }

  /** Hears a topic for one channel less. */
  leave(topic: string): void {
    const subscription = this.#topics.get(topic)
    if (subscription === undefined) return
    subscription.channels -= 1
    if (subscription.channels > 0) return
    this.#topics.delete(topic)
    subscription.ready.then((undo) => undo()).catch(() => undefined)
  }

  /**
   * Tells the other nodes' clients. Comes before one's own are told, as it is what may refuse.
   * @throws ConfigError when the event is too long
   */
  broadcast(topic: string, event: string, body: Body): void {
    this.#publish(BROADCASTS + topic, encodeBroadcast(event, body))
  }

  /**
   * Ends the connections of an id on the other nodes. Comes before one's own, as it is what may refuse.
   * @throws ConfigError when the id is too long
   */
  disconnect(id: string): void {
    this.#publish(CONTROL, encodeDisconnect(id))
  }

  #subscribe(topic: string): Subscription {
    const ready = this.#pubsub.subscribe(BROADCASTS + topic, (bytes) => this.#receive(topic, bytes))
    const subscription: Subscription = { channels: 0, ready, confirmed: false }
    ready.then(() => (subscription.confirmed = true)).catch((error) => this.#handlers.dropped(error))
    this.#topics.set(topic, subscription)
    return subscription
  }

  #publish(topic: string, bytes: Uint8Array): void {
    try {
      this.#pubsub.publish(topic, bytes)
    } catch (error) {
      // The clients of this node have it all the same; the sender is told by the log, as loss is the bus's right.
      this.#handlers.dropped(error)
    }
  }

  #receive(topic: string, bytes: Uint8Array): void {
    try {
      const message = decodeMessage(bytes)
      if (message.kind === "disconnect") this.#handlers.disconnect(message.id)
      else this.#handlers.broadcast(topic, message.event, message.body, message.payload)
    } catch (error) {
      this.#handlers.dropped(error)
    }
  }
}
