import { RollcallError } from "../../error.ts"
import { lastingRefusals, subscribeForGood } from "../../pubsub/lasting-subscription.ts"
import type { DropReason, PubSub } from "../../pubsub/pubsub.ts"
import type { Timers } from "../../timers.ts"
import { quote } from "../../quote.ts"
import type { Payload } from "../../wire/payload.ts"
import { decodeMessage, encodeBroadcast, encodeDisconnect } from "./cluster-messages.ts"
import { withDeadline } from "../deadline.ts"
import { OutageClock, type Outage, type OutageHandlers } from "./outage.ts"

/** The callbacks of a bus, which its server provides. */
export interface BusHandlers extends OutageHandlers {
  /** Handles a broadcast from another node. If it throws because the JSON is malformed, the message is dropped. */
  broadcast(topic: string, event: string, payload: Payload): void
  /** Handles a request from another node to close all connections with a disconnect id. */
  disconnect(id: string): void
  /** The engine reports an error, such as another node with this node's name. */
  engineFailed(error: unknown): void
  /** The engine reports why it delivered a message no further. */
  droppedByEngine(reason: DropReason): void
  /** Joins of new topics are refused from now on, because the bus is away. Called once in each outage. */
  refusingJoins(outage: Outage): void
  /** A message was refused here, or could not be published. */
  dropped(error: unknown): void
}

/** The prefix of bus topics for broadcasts: it keeps them apart from the tracker's topics. */
const BROADCASTS = "broadcast:"
/** The bus topic of requests to all nodes. */
const CONTROL = "control"

/** The subscription to one topic's broadcasts from the other nodes. It is kept while this node has a channel of the topic. */
interface Subscription {
  channels: number
  /** Resolves to the unsubscribe function once the engine has confirmed. Rejects when the engine refuses. */
  readonly ready: Promise<() => void>
  isConfirmed: boolean
}

/**
 * The server's side of the bus. It publishes broadcasts and disconnects to the other nodes, and receives theirs.
 *
 * A topic is subscribed while it has a channel on this node. A join is not answered until the engine has confirmed its topic,
 * so that the client gets every broadcast after its ok.
 */
export class Bus {
  readonly #pubsub: PubSub
  readonly #timers: Timers
  readonly #timeoutMs: number
  readonly #handlers: BusHandlers
  readonly #topics = new Map<string, Subscription>()
  readonly #outages: OutageClock
  /** Whether a join has been refused in the current outage. */
  #isRefusingJoins = false

  constructor(pubsub: PubSub, timers: Timers, timeoutMs: number, handlers: BusHandlers) {
    this.#pubsub = pubsub
    this.#timers = timers
    this.#timeoutMs = timeoutMs
    this.#handlers = handlers
    this.#outages = new OutageClock(pubsub, timers, handlers)
    pubsub.onStatus(() => (this.#isRefusingJoins = false))
    pubsub.onError?.((error) => handlers.engineFailed(error))
    pubsub.onDrop?.((reason) => handlers.droppedByEngine(reason))
    // What the engine reported before this server existed, such as that this node may not publish, is in no log yet.
    const { problem } = pubsub
    if (problem !== undefined) queueMicrotask(() => handlers.engineFailed(new RollcallError("bus_away", problem)))
    const onError = (error: unknown): void => handlers.engineFailed(error)
    subscribeForGood(pubsub, CONTROL, (bytes) => this.#receive(CONTROL, bytes), { timers, onError })
  }

  /** The time without a connection to the engine; `undefined` while it is connected. */
  get outage(): Outage | undefined {
    return this.#outages.current
  }

  /** Why the engine refuses topics that this node always needs, those of the tracker among them. */
  get refusals(): readonly string[] {
    return lastingRefusals(this.#pubsub)
  }

  /**
   * Subscribes to a topic for one more channel. Returns `undefined` when it is subscribed already. Call `leave` once for each
   * call that did not reject.
   *
   * While the bus is away, the time that a join may wait counts from the beginning of the outage. Otherwise a client with 20
   * rooms would wait for each of them in turn, and get no answer to a heartbeat for 100 s. And each join would leave a
   * subscription that waits for the engine, for as long as the outage lasts.
   *
   * @returns a promise that rejects with RollcallError `bus_away` when the bus is away for too long, with
   * `subscribe_timeout` when the engine does not confirm in time, and with the engine's own error, `subscribe_refused` or
   * `closed`, when it does not allow the topic
   */
  join(topic: string): Promise<void> | undefined {
    const known = this.#topics.get(topic)
    const ms = this.#timeoutMs - (this.outage?.lastedMs ?? 0)
    if (ms <= 0 && !known?.isConfirmed) return Promise.reject(this.#away())
    const subscription = known ?? this.#subscribe(topic)
    subscription.channels += 1
    if (subscription.isConfirmed) return undefined
    const expected = `the bus to confirm ${quote(topic)}`
    const limit = { ms, timers: this.#timers, code: "subscribe_timeout", expected }
    return withDeadline(subscription.ready, limit).then(
      () => undefined,
      (error: unknown) => {
        this.#release(topic, subscription)
        const isLate = (Object(error) as { code?: unknown }).code === "subscribe_timeout"
        throw isLate && this.outage !== undefined ? this.#away() : error
      },
    )
  }

  /** Unsubscribes from a topic for one channel. The last channel ends the subscription. */
  leave(topic: string): void {
    const subscription = this.#topics.get(topic)
    if (subscription !== undefined) this.#release(topic, subscription)
  }

  /**
   * Publishes a broadcast to the other nodes. Call it before the broadcast to this node's clients: when it throws, no client
   * gets the message.
   * @throws ConfigError when the event is too long; TypeError when the payload is not a JSON value
   */
  broadcast(topic: string, event: string, payload: Payload): void {
    this.#publish(BROADCASTS + topic, encodeBroadcast(event, payload))
  }

  /**
   * Closes the connections with a disconnect id on the other nodes. Call it before the connections of this node are closed:
   * when it throws, no connection is closed.
   * @throws ConfigError when the id is too long
   */
  disconnect(id: string): void {
    this.#publish(CONTROL, encodeDisconnect(id))
  }

  /** Returns the error for a join that is refused because of an outage. Reports the first one in each outage. */
  #away(): RollcallError {
    const { outage } = this
    if (outage !== undefined && !this.#isRefusingJoins) this.#handlers.refusingJoins(outage)
    this.#isRefusingJoins = true
    return new RollcallError("bus_away", `expected the bus to be connected, got an outage since ${outage?.since}`)
  }

  #subscribe(topic: string): Subscription {
    const ready = this.#requestSubscription(BROADCASTS + topic, topic)
    const subscription: Subscription = { channels: 0, ready, isConfirmed: false }
    ready.then(
      () => (subscription.isConfirmed = true),
      // Each waiting join gets the error from its own promise. The next join of the topic asks the engine again.
      () => this.#forget(topic, subscription),
    )
    this.#topics.set(topic, subscription)
    return subscription
  }

  #requestSubscription(busTopic: string, topic: string): Promise<() => void> {
    try {
      return this.#pubsub.subscribe(busTopic, (bytes) => this.#receive(topic, bytes))
    } catch (error) {
      // An engine may throw instead of rejecting. That must fail one join, not the client's whole connection.
      return Promise.reject(error)
    }
  }

  #release(topic: string, subscription: Subscription): void {
    subscription.channels -= 1
    if (subscription.channels > 0) return
    this.#forget(topic, subscription)
    subscription.ready.then((unsubscribe) => unsubscribe()).catch(() => undefined)
  }

  /** Removes a subscription from the map, unless a newer one of the same topic has replaced it. */
  #forget(topic: string, subscription: Subscription): void {
    if (this.#topics.get(topic) === subscription) this.#topics.delete(topic)
  }

  #publish(busTopic: string, bytes: Uint8Array): void {
    try {
      this.#pubsub.publish(busTopic, bytes)
    } catch (error) {
      // Not thrown, so that this node's clients still get the message. The bus may lose messages anyway.
      this.#handlers.dropped(error)
    }
  }

  #receive(topic: string, bytes: Uint8Array): void {
    try {
      const message = decodeMessage(bytes)
      if (message.kind === "disconnect") this.#handlers.disconnect(message.id)
      else this.#handlers.broadcast(topic, message.event, message.payload)
    } catch (error) {
      this.#handlers.dropped(error)
    }
  }
}
