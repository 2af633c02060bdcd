/** A channel's presence events, applied to a store in order and each once. */
import { RollcallError } from "../error.ts"
import { CLOSE, ERROR, PRESENCE_DIFF, PRESENCE_STATE } from "../wire/events.ts"
import type { PresenceDiff } from "../wire/presence.ts"
import { EarlyLeaves } from "./early-leaves.ts"
import { Transaction } from "./transaction.ts"
import { applyDiff, applyState, type PresenceEvent } from "./reducers.ts"
import type { Store } from "./store.ts"

/** What presence needs of a channel: phoenix.js's has it, and so has any other that speaks its protocol. */
export interface ChannelLike {
  /** Binds an event. The callback's third argument is the `join_ref` of the join that the message belongs to. */
  on(event: string, callback: (payload: unknown, ref?: unknown, joinRef?: unknown) => void): number
  off(event: string, ref?: number): void
  /** The `join_ref` of the current join. */
  joinRef?(): string | null | undefined
}

/** Options of `Presence`. */
export type PresenceOptions = {
  /** The names of the two events, where the server has its own: `presence_state` and `presence_diff` by default. */
  events?: { state?: string; diff?: string } | undefined
  /** How many diffs wait for a state, at most; beyond it the oldest is dropped and `pending_overflow` reported. Default 1000. */
  maxPendingDiffs?: number | undefined
}

/** Who is told what became of a frame. */
export interface SyncListener<F extends object> {
  /** After a frame is in the store: a state with the diffs that waited for it is one frame. */
  applied(moved: readonly PresenceEvent<F>[]): void
  /** A frame was refused (`bad_frame`) or dropped (`pending_overflow`); the store is as it was. */
  failed(error: RollcallError): void
  /** The connection or the channel broke under a view that was live, or the channel is over: who does not see to it himself is told. */
  broke?(status: "stale" | "closed"): void
}

type Frame = readonly [isState: boolean, payload: unknown, join: unknown]

export class Sync<F extends object> {
  readonly #channel: ChannelLike
  readonly #store: Store<F>
  readonly #listener: SyncListener<F>
  readonly #maxPending: number
  readonly #bindings: readonly (readonly [event: string, ref: number])[]
  readonly #departures: EarlyLeaves
  readonly #queue: Frame[] = []
  #pending: (readonly [join: unknown, diff: PresenceDiff<F>])[] = []
  #overflowed = false
  #draining = false
  // The join whose state is in the store; at first none, which is told by what no join can be.
  #join: unknown = this

  /** @param now a monotonic clock, in ms */
  constructor(
    channel: ChannelLike,
    store: Store<F>,
    options: PresenceOptions,
    listener: SyncListener<F>,
    now = (): number => performance.now(),
  ) {
    const { state = PRESENCE_STATE, diff = PRESENCE_DIFF } = options.events ?? {}
    this.#channel = channel
    this.#store = store
    this.#listener = listener
    this.#maxPending = options.maxPendingDiffs ?? 1000
    this.#departures = new EarlyLeaves(now)
    const callbacks: [event: string, callback: Parameters<ChannelLike["on"]>[1]][] = [
      [state, (payload, _ref, join) => this.#receive(true, payload, join)],
      [diff, (payload, _ref, join) => this.#receive(false, payload, join)],
      [ERROR, () => this.pending || listener.broke?.("stale")],
      [CLOSE, () => listener.broke?.("closed")],
    ]
    this.#bindings = callbacks.map(([event, callback]) => [event, channel.on(event, callback)])
  }

  /** Whether the state of the current join is still to come. */
  get pending(): boolean {
    return this.#channel.joinRef ? this.#join !== this.#currentJoin() : this.#join === this
  }

  /** Unbinds from the channel. */
  stop(): void {
    for (const [event, ref] of this.#bindings) this.#channel.off(event, ref)
    this.#queue.length = 0
  }

  #currentJoin(): unknown {
    return this.#channel.joinRef?.() ?? undefined
  }

  // A callback may cause the next frame before the first one's callbacks are through: frames queue, and keep their order.
  #receive(isState: boolean, payload: unknown, join: unknown): void {
    // Binary has no keys of its own, and would pass for a state of nobody.
    this.#queue.push([isState, payload instanceof ArrayBuffer ? "binary" : payload, join ?? this.#currentJoin()])
    if (this.#draining) return
    this.#draining = true
    try {
      for (let frame = this.#queue.shift(); frame; frame = this.#queue.shift()) this.#take(...frame)
    } finally {
      this.#draining = false
    }
  }

  #take(...[isState, payload, join]: Frame): void {
    const transaction = new Transaction(this.#store)
    const moved: PresenceEvent<F>[] = []
    try {
      if (isState) {
        if (this.#channel.joinRef && join !== this.#currentJoin()) return
        this.#applyState(transaction, moved, payload, join)
      } else {
        const live = join === this.#join
        // A diff that is not applied as it came is tried out first, so that a bad one is refused now and by its own name.
        if (!live || this.#departures.expectsLate) applyDiff(new Transaction(this.#store), [], payload)
        const diff = payload as PresenceDiff<F>
        if (!live) return this.#wait(join, diff)
        applyDiff(transaction, moved, this.#departures.sift(diff))
        this.#departures.note(moved, diff.leaves)
      }
    } catch (cause) {
      // Whatever it was, nothing of the frame has reached the store.
      const known = cause instanceof RollcallError
      this.#listener.failed(known ? cause : new RollcallError("bad_frame", String(cause), { cause }))
      return
    }
    this.#store.commit(transaction.changes)
    this.#listener.applied(moved)
  }

  #applyState(transaction: Transaction<F>, moved: PresenceEvent<F>[], state: unknown, join: unknown): void {
    applyState(transaction, moved, state)
    // Diffs of another join tell of a time that this state has behind it: phoenix.js replays them, and lists ghosts (C40).
    for (const [of, diff] of this.#pending) if (of === join) applyDiff(transaction, moved, diff)
    if (join !== this.#join) this.#departures.clear()
    this.#departures.note(moved)
    this.#pending = []
    this.#overflowed = false
    this.#join = join
    this.#store.setStatus("live")
  }

  #wait(join: unknown, diff: PresenceDiff<F>): void {
    this.#pending.push([join, diff])
    if (this.#pending.length <= this.#maxPending) return
    this.#pending.shift()
    if (this.#overflowed) return
    this.#overflowed = true
    this.#listener.failed(new RollcallError("pending_overflow", `${this.#maxPending} diffs and no state`))
  }
}
