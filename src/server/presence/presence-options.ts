import type { Timers } from "../../timers.ts"
import type { Tracker } from "../../tracker/tracker.ts"
import type { PresenceDiff, PresenceEntry } from "../../wire/presence-payloads.ts"
import type { ClientMetaRules } from "../channel/client-meta.ts"
import type { PresenceWindow } from "../presence-window.ts"
import type { ClientUpdateLimits } from "./client-updates.ts"
import type { FetchedFields } from "./fetched.ts"
import type { KeptEvent, KeptPresencesOptions } from "./kept-presences.ts"
import type { KeyLimits } from "./key-limits.ts"
import type { LastSeen } from "./online-keys.ts"
import type { ProcessPresenceOptions } from "./process-presences.ts"

/** The part of a channel that presence uses. */
export interface PresenceChannel {
  readonly topic: string
  readonly pid: string
  /** Whether the channel has ended. An ended channel cannot be tracked. */
  readonly ended?: boolean
  /** The handlers of the channel: which updates they accept. */
  readonly handlers?: ClientMetaRules
}

/** The options of `pushState`. */
export interface PushStateOptions {
  /** Called for each user. Users for which it returns `false` are left out. By default, all users are sent. */
  readonly filter?: (key: string, entry: PresenceEntry) => boolean
}

/** The options of `Presence`, which its server provides. */
export interface PresenceOptions extends KeyLimits, ClientUpdateLimits, Omit<KeptPresencesOptions, "untrack"> {
  readonly tracker: Tracker
  readonly timers: Timers
  /**
   * How long the changes of a topic are collected for one diff, in ms. 0 is one turn of the event loop; with `false`, each change
   * is a diff of its own. A function must not throw.
   */
  readonly windowMs: number | false | PresenceWindow
  readonly maxMetaBytes: number
  /** The data of `fetch`, to show beside the metas. By default, presences consist of their metas only. */
  readonly fetchedFields?: FetchedFields | undefined
  /** Called with the number of metas in each diff. */
  observeSize(metas: number): void
  /** Called when a key goes offline: see `ServerOptions`. */
  readonly lastSeen?: LastSeen | undefined
  /** Returns the ms since 1970, for `lastSeen`; `Date.now` by default. */
  readonly wallClock?: () => number
  /** Counts updates that are held, what is refused, and presences of processes that were not renewed in time. */
  count?(name: KeptEvent | "held_updates" | "refused_presences" | "expired_presences"): void
  /** Called with what a listener of `watchKeys` or `lastSeen` throws. */
  keysFailed?(error: unknown): void
  /** Called when a listener of `onDiff` throws. */
  failed(topic: string, error: unknown): void
  /** Returns whether a topic has clients on this node, which get its diffs. By default, each topic has. */
  hasClients?(topic: string): boolean
  /** Sends a diff to the clients of a topic, except those for whose channel `skips` returns `true`. */
  broadcast(topic: string, diff: PresenceDiff, skips: (channel: object) => boolean): void
}

/** Whether a presence is that of a channel. Other values are the options of a process, or wrong. */
export function isChannel(owner: PresenceChannel | ProcessPresenceOptions): owner is PresenceChannel {
  return typeof owner === "object" && owner !== null && "pid" in owner
}
