import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import type { Engine } from "./engine.ts"
import type { EngineStatus } from "./engine-status.ts"
import type { Receive } from "./pubsub.ts"

interface Subscription {
  readonly receive: Receive
  active: boolean
}

interface Topic {
  /** Replaced, never mutated: a receiver may subscribe or unsubscribe while a message is being delivered. */
  subscriptions: readonly Subscription[]
  /** Whether the engine has confirmed its subscription. */
  confirmed: boolean
  /** The call to the engine that is in progress. */
  pending: Promise<void> | undefined
}

/** The subscriptions of one node. The engine subscribes to a topic once, while at least one subscription needs it. */
export class Subscriptions {
  readonly #engine: Pick<Engine, "subscribe" | "unsubscribe">
  readonly #status: EngineStatus
  readonly #onError: (error: unknown) => void
  readonly #topics = new Map<string, Topic>()

  constructor(
    engine: Pick<Engine, "subscribe" | "unsubscribe">,
    status: EngineStatus,
    onError: (error: unknown) => void,
  ) {
    this.#engine = engine
    this.#status = status
    this.#onError = onError
  }

  /**
   * Adds a receiver. Resolves once the engine has confirmed the topic, and also when the node closes, to a function that removes
   * the receiver.
   */
  async add(topic: string, receive: Receive): Promise<() => void> {
    const entry = this.#topics.get(topic) ?? { subscriptions: [], confirmed: false, pending: undefined }
    this.#topics.set(topic, entry)
    const subscription: Subscription = { receive, active: true }
    entry.subscriptions = [...entry.subscriptions, subscription]
    await this.#reconcile(topic, entry)
    return () => {
      if (!subscription.active) return
      subscription.active = false
      entry.subscriptions = entry.subscriptions.filter((other) => other !== subscription)
      if (entry.subscriptions.length === 0) this.#reconcile(topic, entry).catch(this.#onError)
    }
  }

  /** Calls the receivers of the topic; returns `false` if there are none. */
  deliver(topic: string, bytes: Uint8Array, from: string): boolean {
    const subscriptions = this.#topics.get(topic)?.subscriptions ?? []
    for (const subscription of subscriptions) {
      if (!subscription.active) continue
      try {
        subscription.receive(bytes, from)
      } catch (error) {
        this.#onError(error)
      }
    }
    return subscriptions.length > 0
  }

  /** Ends all subscriptions. The engine is not called, because it is being closed, too. */
  clear(): void {
    for (const { subscriptions } of this.#topics.values()) {
      for (const subscription of subscriptions) subscription.active = false
    }
    this.#topics.clear()
  }

  /**
   * Subscribes or unsubscribes at the engine until it matches the subscriptions, one call at a time: if subscribe,
   * unsubscribe and subscribe were sent together, their order would depend on the driver.
   *
   * A call in progress is awaited even where the state already looks right. Otherwise a subscription that is added
   * during an unsubscribe would be confirmed by the engine subscription that is just ending.
   */
  async #reconcile(topic: string, entry: Topic): Promise<void> {
    try {
      while (this.#status.current !== "closed") {
        if (entry.pending === undefined) {
          if (entry.confirmed === entry.subscriptions.length > 0) break
          entry.pending = this.#callEngine(topic, entry).finally(() => (entry.pending = undefined))
        }
        await this.#status.untilClosed(entry.pending)
      }
    } finally {
      // A refused topic is deleted as well. Otherwise a client could fill the memory with names of refused topics.
      if (entry.subscriptions.length === 0 && this.#topics.get(topic) === entry) this.#topics.delete(topic)
    }
  }

  async #callEngine(topic: string, entry: Topic): Promise<void> {
    if (this.#status.current === "disconnected") return this.#status.nextChange()
    const needed = entry.subscriptions.length > 0
    const { disconnects } = this.#status
    try {
      await (needed ? this.#engine.subscribe(topic) : this.#engine.unsubscribe(topic))
      entry.confirmed = needed
    } catch (error) {
      if (this.#status.current !== "connected" || this.#status.disconnects !== disconnects) return
      for (const subscription of entry.subscriptions) subscription.active = false
      entry.subscriptions = []
      throw subscribeRefused(topic, error)
    }
  }
}

function subscribeRefused(topic: string, cause: unknown): RollcallError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const message = `expected the engine to allow a subscription to ${quote(topic)}, got: ${reason}`
  return new RollcallError("subscribe_refused", message, { reason, cause })
}
