import type { PubSub, PubSubStatus } from "../../pubsub/pubsub.ts"
import type { Timers } from "../../timers.ts"

/** A time without a connection to the bus. The presences of other nodes are shown as they were before it. */
export interface Outage {
  /** When it began, as an ISO time of this machine's clock. */
  readonly since: string
  /** How long it has lasted, in ms. */
  readonly lastedMs: number
  /** The reason in the words of the engine, if it gives one. */
  readonly problem: string | undefined
}

/** The callbacks for outages. */
export interface OutageHandlers {
  /** The engine is away; it reconnects by itself. */
  connectionLost(outage: Outage): void
  /** The engine is back. Not called when it connects for the first time. */
  connectionRestored(outage: Outage): void
}

/** Records since when the bus has been away. */
export class OutageClock {
  readonly #pubsub: PubSub
  readonly #timers: Timers
  readonly #handlers: OutageHandlers
  #began: { readonly since: string; readonly at: number; readonly isLoss: boolean } | undefined

  constructor(pubsub: PubSub, timers: Timers, handlers: OutageHandlers) {
    this.#pubsub = pubsub
    this.#timers = timers
    this.#handlers = handlers
    if (pubsub.status !== "connected") this.#begin(false)
    pubsub.onStatus((status) => this.#follow(status))
  }

  /** The current outage; `undefined` while the bus is connected. */
  get current(): Outage | undefined {
    if (this.#began === undefined) return undefined
    const { since, at } = this.#began
    return { since, lastedMs: this.#timers.now() - at, problem: this.#pubsub.problem }
  }

  #follow(status: PubSubStatus): void {
    const outage = this.current
    if (status === "connected") {
      const wasLoss = this.#began?.isLoss
      this.#began = undefined
      if (wasLoss && outage !== undefined) this.#handlers.connectionRestored(outage)
    } else if (outage === undefined) {
      const begun = this.#begin(status === "disconnected")
      if (status === "disconnected") this.#handlers.connectionLost(begun)
    }
  }

  #begin(isLoss: boolean): Outage {
    // The engine may have been silent for some time before it counted as gone.
    const silentMs = this.#pubsub.unansweredMs ?? 0
    const since = new Date(Date.now() - silentMs).toISOString()
    this.#began = { since, at: this.#timers.now() - silentMs, isLoss }
    return { since, lastedMs: silentMs, problem: this.#pubsub.problem }
  }
}
