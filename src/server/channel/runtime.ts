import type { Timers } from "../../timers.ts"
import type { Fastlane, Subscriber } from "./fastlane.ts"
import type { Limits } from "../limits.ts"
import type { Logger } from "../logger.ts"
import type { Payload } from "../../wire/payload.ts"

/** A channel as presence sends diffs to it. */
export interface DiffReceiver {
  /** Whether the channel has been sent a diff since it joined. Presence sets it. */
  receivedDiff?: boolean
}

/** A channel that is to be sent its topic's state, right after the diffs that the state contains. */
export interface StateReceiver extends DiffReceiver {
  /** Whether messages wait behind the state. */
  readonly holdsMessages?: boolean
  /** Sends the state and what waits behind it. */
  release(): void
}

/** What a channel asks of presence. */
export interface ChannelPresence {
  /** Whether a payload is a snapshot of this topic, of now or of earlier. */
  isState(topic: string, payload: unknown): boolean
  /** Whether a topic's state must wait for its pending diff; if so, the channel's `release` is called once that is out. */
  hold(channel: StateReceiver & { readonly topic: string }): boolean
  /** A topic's state, kept until the topic changes. */
  state(topic: string): Payload
  /** Sends what is pending of a topic now, where every change is a diff of its own: who joins next is not to see it. */
  settle(topic: string): void
  untrack(channel: { readonly pid: string }): void
}

/** What the parts of one server share. */
export interface Runtime {
  readonly limits: Limits
  readonly timers: Timers
  readonly logger: Logger
  readonly fastlane: Fastlane
  readonly presence: ChannelPresence
  /**
   * Has a topic's broadcasts come from the other nodes, too, for one more channel; undone by `unsubscribe`, also when it rejects.
   * `undefined` when they come already.
   */
  subscribe(topic: string): Promise<void> | undefined
  unsubscribe(topic: string): void
  /** To every client of a topic, but for the one that `skip` writes to. */
  broadcast(topic: string, event: string, payload: unknown, skip?: Subscriber): void
  count(name: string, by?: number): void
  /** Takes note of work that trackWork what it belongs to: a server that closes waits for it. */
  trackWork(work: Promise<void>): void
}
