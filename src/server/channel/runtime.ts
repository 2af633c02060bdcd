import type { Timers } from "../../timers.ts"
import type { Serializer } from "../../wire/message.ts"
import type { Payload } from "../../wire/payload.ts"
import type { Fastlane, Subscriber } from "./fastlane.ts"
import type { Limits } from "../limits.ts"
import type { Logger } from "../logger.ts"
import type { CounterName } from "../operations/metrics.ts"
import type { Frame } from "../transport.ts"

/** A channel as presence sends diffs to it. */
export interface DiffReceiver {
  /** Whether the channel has been sent a diff since it joined. Presence sets it. */
  receivedDiff?: boolean
}

/** A channel that must get the state of its topic, right after the diffs that the state contains. */
export interface StateReceiver extends DiffReceiver {
  /**
   * Returns whether a message waits behind the state that may contain an older one.
   * @param isRead whether the application has read the topic since: then any message may contain what it read
   */
  holdsOlderState?(isRead: boolean): boolean
  /** Sends the state, and the messages that wait behind it. */
  release(): void
}

/** Presence, as a channel needs it. */
export interface ChannelPresence {
  /** Whether a payload is a snapshot of this topic, current or older, that `list` returned. */
  isState(topic: string, payload: unknown): boolean
  /** Returns whether a topic's state must wait for its pending diff. If so, the channel's `release` is called once that is sent. */
  hold(channel: StateReceiver & { readonly topic: string }): boolean
  /** Marks the topic, as it is now, as read: the pending diff will bring also a client up to date that is sent this state. */
  observe(topic: string): void
  /** A topic's current state. The same payload until the topic changes, so that it is encoded once for all clients. */
  state(topic: string): Payload
  /** Sends the pending diff of a topic now, if every change is a diff of its own: a later joiner must not get it. */
  settle(topic: string): void
  /** Adds the channel to its topic's presences. @throws ConfigError, RollcallError, as `Presence.track` */
  track(channel: { readonly topic: string; readonly pid: string }, key: string | number, meta?: object): string
  /** Removes all presences of a channel. */
  untrack(channel: { readonly pid: string }): void
}

/** The connection of a channel, as the channel needs it. */
export interface ChannelSocket {
  readonly serializer: Serializer
  write(frame: Frame | undefined): void
  /** Forgets a channel that has ended. */
  forget(channel: { readonly topic: string }): void
  /** Counts a message that begins to wait (`1`) or no longer waits (`-1`). */
  queued(by: 1 | -1): void
}

/** What all channels of one server share. */
export interface Runtime {
  readonly limits: Limits
  readonly timers: Timers
  readonly logger: Logger
  readonly fastlane: Fastlane
  readonly presence: ChannelPresence
  /**
   * Subscribes a topic to the broadcasts of the other nodes, for one more channel; `undefined` when it is subscribed already.
   * Call `unsubscribe` once for each call, except for one that rejects: with RollcallError `subscribe_refused` when the bus
   * does not allow the topic, with any other error when it cannot be subscribed now.
   */
  subscribe(topic: string): Promise<void> | undefined
  unsubscribe(topic: string): void
  /** Sends an event to every client of a topic on all nodes, except for the one of `skip`. */
  broadcast(topic: string, event: string, payload: unknown, skip?: Subscriber): void
  count(name: CounterName, by?: number): void
  /** Registers work that outlives its caller: a server that closes waits for it. */
  trackWork(work: Promise<void>): void
}
