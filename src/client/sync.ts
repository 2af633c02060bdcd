/** Applies the presence events of a channel to a store, in order and each one once. */
import { RollcallError } from "../error.ts"
import { CLOSE, ERROR, PRESENCE_DIFF, PRESENCE_STATE } from "../wire/events.ts"
import type { PresenceDiff, PresenceEntry } from "../wire/presence-payloads.ts"
import { createEarlyLeaves, type EarlyLeaves } from "./early-leaves.ts"
import { same } from "./metas.ts"
import { applyDiff, applyState, type PresenceEvent, type PresenceMap } from "./reducers.ts"
import type { Store } from "./store.ts"

/**
 * The part of a channel that presence uses. The channels of phoenix.js and of other clients of the protocol have it.
 */
export interface ChannelLike {
  /**
   * Calls `callback` for each message with this event. Its third argument is the `join_ref` of the join that the
   * message belongs to.
   */
  on(event: string, callback: (payload: unknown, ref?: unknown, joinRef?: unknown) => void): number
  off(event: string, ref?: number): void
  /** The `join_ref` of the current join. */
  joinRef?(): string | null | undefined
  /** `"joining"` until the current join is answered. A diff that arrives meanwhile is of an earlier join, and is ignored. */
  readonly state?: unknown
  /** The callbacks in the order in which they are called, if it is an array. */
  readonly bindings?: unknown
}

/** Options of `Presence`. */
export type PresenceOptions = {
  /** The names of the two events. Default `presence_state` and `presence_diff`. */
  events?: { state?: string; diff?: string } | undefined
  /**
   * How many diffs may wait for a state. Beyond the limit the oldest one is dropped, and `pending_overflow` is reported.
   * Default 1000.
   */
  maxPendingDiffs?: number | undefined
}

/** The callbacks of a `Sync`. */
export interface SyncListener<F extends object> {
  /** Called when a frame is in the store. A state counts as one frame together with the diffs that waited for it. */
  applied(events: readonly PresenceEvent<F>[]): void
  /** Called when a frame was refused (`bad_frame`) or dropped (`pending_overflow`). The store has not changed. */
  failed(error: RollcallError): void
  /**
   * Called when the channel broke while the store was live (`stale`), or was closed. Optional, because a room watches
   * its channel itself.
   */
  setStatus?(status: "stale" | "closed"): void
}

type Frame = readonly [isState: boolean, payload: unknown, join: unknown]

/** The join of a store that has had no state yet. */
const NO_JOIN = {}

export interface Sync<F extends object> {
  /** Whether the state of the current join has not arrived yet. */
  readonly isPending: boolean
  /** The diffs that wait for a state. */
  readonly pendingDiffs: PresenceDiff<F>[]
  /** The join whose state is in the store; `null` before the first state, and for channels without join references. */
  readonly joinRef: string | null
  /** Unbinds from the channel. */
  stop(): void
  /** What the `Sync` of a store needs that began with this one's, on the same channel. */
  handOver(): Progress<F>
}

type Progress<F extends object> = readonly [syncedJoin: unknown, pending: Pending<F>, earlyLeaves: EarlyLeaves]

type Pending<F extends object> = (readonly [join: unknown, diff: PresenceDiff<F>])[]

/**
 * @param now a monotonic clock, in milliseconds
 * @param progress that of a store with which this store began, on the same channel
 */
export function createSync<F extends object>(
  channel: ChannelLike,
  store: Pick<Store<F>, "get" | "keys" | "commit" | "setStatus">,
  options: PresenceOptions,
  listener: SyncListener<F>,
  now = (): number => performance.now(),
  progress: Progress<F> = [NO_JOIN, [], createEarlyLeaves(now)],
): Sync<F> {
  const { events: { state = PRESENCE_STATE, diff = PRESENCE_DIFF } = {}, maxPendingDiffs = 1000 } = options
  const queue: Frame[] = []
  let hasOverflowed = false
  /** `syncedJoin` is the join whose state is in the store. */
  let [syncedJoin, pending, earlyLeaves] = progress

  /** The changes of a frame, which reach the store by a commit: a frame is applied whole or not at all. */
  let written = new Map<string, PresenceEntry<F> | undefined>()
  const users: PresenceMap<F> = {
    // The check of `size` spares a lookup: after a rejoin without changes, each user costs only the lookup in the store.
    get: (key) => (written.size > 0 && written.has(key) ? written.get(key) : store.get(key)),
    set(key, presence) {
      // A user that did not change stays the same object (C24), also after several diffs of one frame that undo each other.
      const before = store.get(key)
      // One that came and went within the frame is no change.
      if (presence || before) written.set(key, same(presence, before) ? before : presence)
      else written.delete(key)
    },
    keys: store.keys,
  }

  const currentJoin = (): unknown => channel.joinRef?.() ?? undefined

  const isPending = (): boolean => (channel.joinRef ? syncedJoin !== currentJoin() : syncedJoin === NO_JOIN)

  const postpone = (join: unknown, late: PresenceDiff<F>): void => {
    if (pending.push([join, late]) <= maxPendingDiffs) return
    pending.shift()
    if (hasOverflowed) return
    hasOverflowed = true
    listener.failed(new RollcallError("pending_overflow", `expected a state, got ${maxPendingDiffs} diffs`))
  }

  const apply = ([isState, payload, join]: Frame): void => {
    written = new Map()
    const events: PresenceEvent<F>[] = []
    const cause = !isState ? "diff" : syncedJoin === NO_JOIN ? "initial" : "resync"
    try {
      if (isState) {
        if (channel.joinRef && join !== currentJoin()) return
        applyState(users, events, payload)
        // Diffs of an earlier join are older than this state, and are dropped. phoenix.js applies them, and lists users who
        // are gone (C40).
        for (const [ofJoin, late] of pending) if (ofJoin === join) applyDiff(users, events, late)
        if (join !== syncedJoin) earlyLeaves.clear()
        earlyLeaves.add(events)
        pending = []
        hasOverflowed = false
        syncedJoin = join
        store.setStatus("live")
      } else {
        const isLive = join === syncedJoin
        // A diff that is postponed is applied here only to refuse a malformed one now.
        applyDiff(users, events, payload, isLive && earlyLeaves.size() > 0 ? earlyLeaves.has : undefined)
        const checked = payload as PresenceDiff<F>
        if (!isLive) return postpone(join, checked)
        earlyLeaves.add(events, checked)
      }
    } catch (cause) {
      // Nothing of the frame has reached the store. The error need not be a RollcallError: comparing a payload that is
      // nested too deeply throws a RangeError.
      const isKnown = cause instanceof RollcallError
      return listener.failed(isKnown ? cause : new RollcallError("bad_frame", String(cause), { cause }))
    }
    store.commit(written, cause, events)
    listener.applied(events)
  }

  // A callback may cause the next frame while the callbacks of this one still run. A queue keeps frames in order.
  const receive = (isState: boolean, payload: unknown, join: unknown): void => {
    // A binary payload has no keys, and would be applied as a state without users.
    const frame: Frame = [isState, payload instanceof ArrayBuffer ? "binary" : payload, join ?? currentJoin()]
    if (queue.push(frame) > 1) return
    try {
      for (; queue[0]; queue.shift()) apply(queue[0])
    } finally {
      queue.length = 0
    }
  }

  const bind = (event: string, callback: Parameters<ChannelLike["on"]>[1]) =>
    [event, channel.on(event, callback)] as const
  /** Binds before the callbacks that are bound already, because phoenix.js's `Presence` writes into the payloads. */
  const bindFirst: typeof bind = (event, callback) => {
    const binding = bind(event, callback)
    const { bindings } = channel
    if (Array.isArray(bindings)) bindings.unshift(bindings.pop())
    return binding
  }
  /**
   * A diff that arrives before the reply and the state of the current join was sent for an earlier join. Diffs carry no
   * `join_ref`. The state of the current join will contain everything that is still true.
   */
  const isEarly = (): boolean => channel.state === "joining" && (!channel.joinRef || isPending())

  const bound = [
    bindFirst(state, (payload, _ref, join) => receive(true, payload, join)),
    bindFirst(diff, (payload, _ref, join) => isEarly() || receive(false, payload, join)),
    bind(ERROR, () => isPending() || listener.setStatus?.("stale")),
    bind(CLOSE, () => listener.setStatus?.("closed")),
  ]

  return {
    get isPending() {
      return isPending()
    },
    get pendingDiffs() {
      return pending.map(([, late]) => late)
    },
    get joinRef() {
      return typeof syncedJoin === "string" ? syncedJoin : null
    },
    stop() {
      for (const [event, ref] of bound) channel.off(event, ref)
      queue.length = 0
    },
    handOver: () => [syncedJoin, pending, earlyLeaves],
  }
}
