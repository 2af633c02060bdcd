import type { Body } from "../wire/message.ts"
import type { Timers } from "../timers.ts"
import type { Fastlane, Subscriber } from "./fastlane.ts"
import type { Limits } from "./limits.ts"

/** Where a server says what went wrong. `console` is one. */
export interface Logger {
  warn(message: string, details?: unknown): void
  error(message: string, details?: unknown): void
}

/** Where a server counts what it does and refuses, by name. */
export interface Meter {
  count(name: string, by: number): void
}

/** What a channel asks of presence. */
export interface ChannelPresence {
  /** Whether a push must wait for its topic's pending diff; if so, the channel's `release` is called once that is out. */
  holds(channel: { readonly topic: string; release(): void }, payload: unknown): boolean
  /** Sends what is pending of a topic now, where every change is a diff of its own: who joins next is not to see it. */
  settle(topic: string): void
  /** A payload's body; a snapshot's as its topic is now, kept until the topic changes. */
  encode(payload: unknown): Body
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
   * Has a topic's broadcasts come from the other nodes, too, for one more channel; undone by `unhear`, also when it rejects.
   * `undefined` when they come already.
   */
  hear(topic: string): Promise<void> | undefined
  unhear(topic: string): void
  /** To every client of a topic, but for the one that `skip` writes to. */
  broadcast(topic: string, event: string, payload: unknown, skip?: Subscriber): void
  count(name: string, by?: number): void
  /** Takes note of work that outlives what it belongs to: a server that closes waits for it. */
  outlives(work: Promise<void>): void
}
