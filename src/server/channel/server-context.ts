import type { Timers } from "../../timers.ts"
import type { Message, Serializer } from "../../wire/message.ts"
import type { Payload } from "../../wire/payload.ts"
import type { Fastlane, Subscriber } from "./fastlane.ts"
import type { Limits } from "../limits.ts"
import type { Logger } from "../logger.ts"
import type { CounterName } from "../operations/metrics.ts"
import type { OwnPresences } from "./own-presences.ts"
import type { Reply } from "./reply.ts"
import type { Frame } from "../transport.ts"

/** A channel to which presence sends diffs. */
export interface DiffReceiver {
  /** Whether the channel has been sent a diff since it joined. Presence sets it. */
  receivedDiff?: boolean
  /** Whether the channel gets counts in place of states and diffs. */
  readonly isCounting?: boolean
}

/** A channel that must get the state of its topic, right after the diffs that the state contains. */
export interface StateReceiver extends DiffReceiver {
  /**
   * Returns whether a message is held behind the state that may contain an older one.
   * @param isRead whether the application has read the topic since: then any message may contain what it read
   */
  holdsOlderState?(isRead: boolean): boolean
  /**
   * Sends the state, and the messages that are held behind it.
   * @param isInside whether the window has not ended, so that the state must not wait for its diff
   */
  release(isInside?: boolean): void
}

/** A channel that gets the number of its topic's users. */
export interface CountReceiver extends Subscriber {
  readonly topic: string
}

/** A channel whose presences end. */
export interface EndedChannel {
  readonly topic: string
  readonly pid: string
  readonly handlers: { readonly presenceGraceMs?: number }
}

/** The part of presence that channels use. */
export interface ChannelPresence {
  /** Whether a payload is a snapshot of this topic that `list` returned, now or earlier. */
  isState(topic: string, payload: unknown): boolean
  /** Returns whether the topic's state must wait for a pending diff. If so, `release` is called once that diff was sent. */
  hold(channel: StateReceiver & { readonly topic: string }): boolean
  /** Marks the present state of the topic as read: the pending diff then also brings a client up to date that gets this state. */
  observe(topic: string): void
  /** Returns a topic's current state: the same payload until the topic changes, so that it is encoded once for all clients. */
  state(topic: string): Payload
  /** Adds a channel to those that get counts, by a field or, if it is `""`, of the total alone. Returns the present one. */
  addCounting(channel: CountReceiver, field: string): Payload
  /** Removes a channel that may get counts. */
  removeCounting(channel: CountReceiver): void
  /** Sends the pending diff of a topic now if `presenceWindowMs` is `false`, so that a client that joins later does not get it. */
  settle(topic: string): void
  /** Adds the channel to its topic's presences. @throws ConfigError, RollcallError like `Presence.track` */
  track(channel: { readonly topic: string; readonly pid: string }, key: string | number, meta?: object): string
  /** Handles a client's update of its own meta, and returns the reply. */
  handleUpdate(channel: { readonly topic: string; readonly pid: string }, payload: unknown): Reply
  /** Returns the key of a channel's first presence in its topic, or `undefined`. */
  keyOf(channel: { readonly topic: string; readonly pid: string }): string | undefined
  /** Removes all presences of a channel that has ended: now, or after its `presenceGraceMs` if its connection was lost. */
  readonly kept: { ended(channel: EndedChannel, isLost: boolean, id: string | undefined): void }
  /** The channels that are notified of their own presence. */
  readonly own: OwnPresences
  /** As `Presence.online`. */
  online(key: string): boolean
  /** As `Presence.watchKeys`. */
  watchKeys(
    keys: Iterable<string>,
    listener: (change: { readonly online: boolean }) => void,
    options: { readonly graceMs: number },
  ): () => void
}

/** The part of a channel's connection that the channel uses. */
export interface ChannelSocket {
  /** The disconnect id, if it has one. */
  readonly id: string | undefined
  readonly serializer: Serializer
  /** Whether the client introduced itself, so that it understands the messages of `wire/introduction.ts`. */
  readonly isIntroduced: boolean
  write(frame: Frame | undefined): void
  /** Forgets a channel that has ended. */
  forget(channel: { readonly topic: string }): void
  /** Counts a message that begins to wait (`1`) or no longer waits (`-1`). */
  queued(by: 1 | -1, message?: Message): void
}

/** The settings and services that all channels of one server share. */
export interface ServerContext {
  readonly limits: Limits
  readonly timers: Timers
  readonly logger: Logger
  readonly fastlane: Fastlane
  readonly presence: ChannelPresence
  /**
   * Subscribes to a topic's broadcasts from the other nodes, for one more channel. Returns `undefined` when it is subscribed
   * already. Rejects with RollcallError `subscribe_refused` when the bus does not allow the topic, and with another error when
   * the subscription fails now. Call `unsubscribe` once for each call that did not reject.
   */
  subscribe(topic: string): Promise<void> | undefined
  unsubscribe(topic: string): void
  /** Sends an event to every client of a topic on all nodes, except to the client of `skip`. */
  broadcast(topic: string, event: string, payload: unknown, skip?: Subscriber): void
  count(name: CounterName, by?: number): void
  /** Logs a field that a client says of itself, and that the server leaves out. */
  leftOut(field: string): void
  /** Registers work that outlives its caller. A server that closes waits for it. */
  trackWork(work: Promise<void>): void
}
