/** Applies the presence events of a channel to a store, in order and each one once. */
import { RollcallError } from "../error.ts"
import { CLOSE, ERROR, PRESENCE_DIFF, PRESENCE_STATE } from "../wire/events.ts"
import type { PresenceDiff } from "../wire/presence-payloads.ts"
import { EarlyLeaves } from "./early-leaves.ts"
import { applyDiff, applyState, type PresenceEvent } from "./reducers.ts"
import type { Store } from "./store.ts"
import { Transaction } from "./transaction.ts"

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

export class Sync<F extends object> {
  readonly #channel: ChannelLike
  readonly #store: Store<F>
  readonly #listener: SyncListener<F>
  readonly #maxPending: number
  readonly #bindings: readonly (readonly [event: string, ref: number])[]
  #earlyLeaves: EarlyLeaves
  readonly #queue: Frame[] = []
  #pending: (readonly [join: unknown, diff: PresenceDiff<F>])[] = []
  #hasOverflowed = false
  #isDraining = false
  // The join whose state is in the store. The initial value `this` differs from every join.
  #syncedJoin: unknown = this

  /**
   * @param now a monotonic clock, in milliseconds
   * @param former that of a store with which this store began, on the same channel
   */
  constructor(
    channel: ChannelLike,
    store: Store<F>,
    options: PresenceOptions,
    listener: SyncListener<F>,
    now = (): number => performance.now(),
    former?: Sync<F>,
  ) {
    const { state = PRESENCE_STATE, diff = PRESENCE_DIFF } = options.events ?? {}
    this.#channel = channel
    this.#store = store
    this.#listener = listener
    this.#maxPending = options.maxPendingDiffs ?? 1000
    this.#earlyLeaves = new EarlyLeaves(now)
    const bind = (event: string, callback: Parameters<ChannelLike["on"]>[1]) =>
      [event, channel.on(event, callback)] as const
    /** Binds before the callbacks that are bound already, because phoenix.js's `Presence` writes into the payloads. */
    const bindFirst: typeof bind = (event, callback) => {
      const binding = bind(event, callback)
      const { bindings } = channel
      if (Array.isArray(bindings)) bindings.unshift(bindings.pop())
      return binding
    }
    this.#bindings = [
      bindFirst(state, (payload, _ref, join) => this.#receive(true, payload, join)),
      bindFirst(diff, (payload, _ref, join) => this.#isEarly() || this.#receive(false, payload, join)),
      bind(ERROR, () => this.isPending || listener.setStatus?.("stale")),
      bind(CLOSE, () => listener.setStatus?.("closed")),
    ]
    if (!former) return
    this.#earlyLeaves = former.#earlyLeaves
    this.#pending = former.#pending
    this.#syncedJoin = former.#syncedJoin === former ? this : former.#syncedJoin
  }

  /** Whether the state of the current join has not arrived yet. */
  get isPending(): boolean {
    return this.#channel.joinRef ? this.#syncedJoin !== this.#currentJoin() : this.#syncedJoin === this
  }

  /** The diffs that wait for a state. */
  get pendingDiffs(): PresenceDiff<F>[] {
    return this.#pending.map(([, diff]) => diff)
  }

  /** The join whose state is in the store; `null` before the first state, and for channels without join references. */
  get joinRef(): string | null {
    return typeof this.#syncedJoin === "string" ? this.#syncedJoin : null
  }

  /** Unbinds from the channel. */
  stop(): void {
    for (const [event, ref] of this.#bindings) this.#channel.off(event, ref)
    this.#queue.length = 0
  }

  #currentJoin(): unknown {
    return this.#channel.joinRef?.() ?? undefined
  }

  /**
   * Whether a diff that arrives now was sent for an earlier join: neither the reply nor the state of the current join has
   * arrived. Diffs carry no `join_ref`. The state of the current join will contain everything that is still true.
   */
  #isEarly(): boolean {
    return this.#channel.state === "joining" && (!this.#channel.joinRef || this.isPending)
  }

  // A callback may cause the next frame while the callbacks of this one still run. A queue keeps frames in order.
  #receive(isState: boolean, payload: unknown, join: unknown): void {
    // A binary payload has no keys, and would be applied as a state without users.
    this.#queue.push([isState, payload instanceof ArrayBuffer ? "binary" : payload, join ?? this.#currentJoin()])
    if (this.#isDraining) return
    this.#isDraining = true
    try {
      for (let frame = this.#queue.shift(); frame; frame = this.#queue.shift()) this.#apply(frame)
    } finally {
      this.#isDraining = false
    }
  }

  #apply([isState, payload, join]: Frame): void {
    const transaction = new Transaction(this.#store)
    const events: PresenceEvent<F>[] = []
    try {
      if (isState) {
        if (this.#channel.joinRef && join !== this.#currentJoin()) return
        applyState(transaction, events, payload)
        // Diffs of an earlier join are older than this state, and are dropped. phoenix.js applies them, and lists users
        // who
        // are gone (C40).
        for (const [ofJoin, diff] of this.#pending) if (ofJoin === join) applyDiff(transaction, events, diff)
        if (join !== this.#syncedJoin) this.#earlyLeaves.clear()
        this.#earlyLeaves.add(events)
        this.#pending = []
        this.#hasOverflowed = false
        this.#syncedJoin = join
        this.#store.setStatus("live")
      } else {
        const isLive = join === this.#syncedJoin
        // A diff that is postponed or filtered is first checked unchanged, so that a malformed one is refused now.
        if (!isLive || this.#earlyLeaves.size > 0) applyDiff(new Transaction(this.#store), [], payload)
        const diff = payload as PresenceDiff<F>
        if (!isLive) return this.#postpone(join, diff)
        applyDiff(transaction, events, this.#earlyLeaves.filter(diff))
        this.#earlyLeaves.add(events, diff.leaves)
      }
    } catch (cause) {
      // Nothing of the frame has reached the store. The error need not be a RollcallError: comparing a payload that is
      // nested too deeply throws a RangeError.
      const isKnown = cause instanceof RollcallError
      this.#listener.failed(isKnown ? cause : new RollcallError("bad_frame", String(cause), { cause }))
      return
    }
    this.#store.commit(transaction.changes)
    this.#listener.applied(events)
  }

  #postpone(join: unknown, diff: PresenceDiff<F>): void {
    if (this.#pending.push([join, diff]) <= this.#maxPending) return
    this.#pending.shift()
    if (this.#hasOverflowed) return
    this.#hasOverflowed = true
    const message = `expected a state, got ${this.#maxPending} diffs`
    this.#listener.failed(new RollcallError("pending_overflow", message))
  }
}
