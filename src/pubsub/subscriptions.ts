import { RollcallError } from "../error.ts"
import type { Engine } from "./engine.ts"
import type { Receive } from "./pubsub.ts"
import type { EngineStatus } from "./engine-status.ts"

interface Subscription {
  readonly receive: Receive
  active: boolean
}

interface Topic {
  /** Replaced, never changed: a receiver may subscribe and undo while the messages are being handed out. */
  subscriptions: readonly Subscription[]
  listening: boolean
  step: Promise<void> | undefined
}

/** Who listens on this node: the engine listens to a topic while somebody here does, and once for all of them. */
export class Subscriptions {
  readonly #engine: Pick<Engine, "listen" | "unlisten">
  readonly #standing: EngineStatus
  readonly #onError: (error: unknown) => void
  readonly #topics = new Map<string, Topic>()

  constructor(engine: Pick<Engine, "listen" | "unlisten">, standing: EngineStatus, onError: (error: unknown) => void) {
    this.#engine = engine
    this.#standing = standing
    this.#onError = onError
  }

  /** Adds a receiver, and resolves to its undo once the engine has confirmed the topic, or to anything at the close. */
  async add(topic: string, receive: Receive): Promise<() => void> {
    const entry = this.#topics.get(topic) ?? { subscriptions: [], listening: false, step: undefined }
    this.#topics.set(topic, entry)
    const subscription: Subscription = { receive, active: true }
    entry.subscriptions = [...entry.subscriptions, subscription]
    await this.#settle(topic, entry)
    return () => {
      if (!subscription.active) return
      subscription.active = false
      entry.subscriptions = entry.subscriptions.filter((other) => other !== subscription)
      if (entry.subscriptions.length === 0) this.#settle(topic, entry).catch(this.#onError)
    }
  }

  /** Hands a message to all who listen; `false` if nobody does. */
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

  /** Ends them all, without a word to the engine, which is ending itself. */
  clear(): void {
    for (const { subscriptions } of this.#topics.values()) {
      for (const subscription of subscriptions) subscription.active = false
    }
    this.#topics.clear()
  }

  /**
   * Brings the engine to what the subscribers wish, one step at a time: listen → unlisten → listen sent in one breath
   * would leave it to the driver which of them wins. A step under way is awaited even where the wish already looks
   * fulfilled: whoever subscribes during an unlisten would otherwise be told yes by the listening that is ending.
   */
  async #settle(topic: string, entry: Topic): Promise<void> {
    try {
      while (this.#standing.status !== "closed") {
        if (entry.step === undefined) {
          if (entry.listening === entry.subscriptions.length > 0) break
          entry.step = this.#step(topic, entry).finally(() => (entry.step = undefined))
        }
        await this.#standing.untilClosed(entry.step)
      }
    } finally {
      // A topic that was refused goes as well: any client may name another one, and another.
      if (entry.subscriptions.length === 0 && this.#topics.get(topic) === entry) this.#topics.delete(topic)
    }
  }

  async #step(topic: string, entry: Topic): Promise<void> {
    if (this.#standing.status === "disconnected") return this.#standing.change()
    const wanted = entry.subscriptions.length > 0
    const { breaks } = this.#standing
    try {
      await (wanted ? this.#engine.listen(topic) : this.#engine.unlisten(topic))
      entry.listening = wanted
    } catch (error) {
      if (this.#standing.status !== "connected" || this.#standing.breaks !== breaks) return
      for (const subscription of entry.subscriptions) subscription.active = false
      entry.subscriptions = []
      throw refused(topic, error)
    }
  }
}

function refused(topic: string, cause: unknown): RollcallError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new RollcallError("subscribe_refused", `The engine refused the topic ${JSON.stringify(topic)}: ${said}`, {
    cause,
  })
}
