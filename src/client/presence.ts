/** Phoenix's `Presence`, with types and fixes. It keeps the users of a channel in sync with the server. */
import type { RollcallError } from "../error.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"
import { guard, ListenerSet, type Undo } from "../listeners.ts"
import { createErrors } from "./callback-errors.ts"
import { copyOf } from "./metas.ts"
import { list, syncDiff, syncState, type Chooser, type OnJoin, type OnLeave } from "./reducers.ts"
import { createStore, type Store } from "./store.ts"
import { createSync, type ChannelLike, type PresenceOptions, type Sync } from "./sync.ts"

/**
 * The presences of one channel, kept in sync by its `presence_state` and `presence_diff` events.
 *
 * A diff that arrives before the state waits for the state of the same join. A frame is applied whole or not at all.
 * Callbacks run afterwards, so they read the new view (C42). If a callback throws, the other callbacks still run, and the
 * next frame is still applied. A frame that a callback causes is queued until the callbacks of the current frame are done.
 *
 * Users are listed in order of first arrival, even if their keys look like integers.
 */
export class Presence<F extends object = Record<string, unknown>> {
  /** The reducers, as in phoenix.js. They are pure and do not use `this`. */
  static readonly syncState: typeof syncState = syncState
  static readonly syncDiff: typeof syncDiff = syncDiff
  static readonly list: typeof list = list

  /** The view: immutable snapshots to render, `subscribe` and `onChange`. */
  readonly store: Store<F>
  readonly channel: ChannelLike
  readonly #errors = createErrors()
  readonly #joins = new ListenerSet<Parameters<OnJoin<F>>>()
  readonly #leaves = new ListenerSet<Parameters<OnLeave<F>>>()
  readonly #syncs = new ListenerSet<[]>()
  readonly #sync: Sync<F>

  constructor(channel: ChannelLike, options: PresenceOptions = {}) {
    const { report, failed } = this.#errors
    this.channel = channel
    this.store = createStore<F>(failed)
    this.#sync = createSync(channel, this.store, options, {
      failed: report,
      applied: (events) => {
        for (const [isJoin, key, current, source, metas] of events) {
          const listeners = isJoin ? this.#joins : this.#leaves
          // Callbacks get a deep copy, as in the reducers, so that they cannot change the view (C9). It is made within
          // the
          // guard, because a meta that is nested too deeply cannot be copied.
          if (listeners.size > 0)
            guard(failed, () => listeners.emit(failed, key, current!, copyOf({ ...source, metas })))
        }
        this.#syncs.emit(failed)
        this.store.notify()
      },
      setStatus: (status) => {
        this.store.setStatus(status)
        this.store.notify()
      },
    })
  }

  /** The presences by key, as phoenix.js keeps them. Each read builds a new object. */
  get state(): PresenceState<F> {
    const state = Object.create(null) as Record<string, PresenceEntry<F>>
    this.list((key, presence) => (state[key] = presence))
    return state
  }

  /** The diffs that wait for the state of their join. */
  get pendingDiffs(): PresenceDiff<F>[] {
    return this.#sync.pendingDiffs
  }

  /** The ref of the join whose state is in the view; `null` before the first state. */
  get joinRef(): string | null {
    return this.#sync.joinRef
  }

  /** The number of users that are present. */
  get size(): number {
    return this.store.size
  }

  /**
   * Calls `callback` for each key with new metas. `current` is the user before the join; it is `undefined` for the
   * user's first device.
   */
  onJoin(callback: OnJoin<F>): Undo {
    return this.#joins.add(callback)
  }

  /**
   * Calls `callback` for each key with fewer metas. `current` is the user after the leave; it has no metas if the last
   * device left.
   */
  onLeave(callback: OnLeave<F>): Undo {
    return this.#leaves.add(callback)
  }

  /**
   * Calls `callback` once after each applied frame, even if nothing changed. A state counts as one frame together with
   * the diffs that waited for it.
   */
  onSync(callback: () => void): Undo {
    return this.#syncs.add(callback)
  }

  /** Calls `callback` with errors that no caller can catch: `bad_frame`, `pending_overflow`, `callback_failed`. */
  onError(callback: (error: RollcallError) => void): Undo {
    return this.#errors.add(callback)
  }

  /** Returns all users in order of first arrival: each as the server sent it, or what `chooser` returns for it. */
  list(): PresenceEntry<F>[]
  list<T>(chooser: Chooser<F, T> | null | undefined): T[]
  list<T>(chooser?: Chooser<F, T> | null): (T | PresenceEntry<F>)[] {
    if (!chooser) return [...this.store.values()]
    return Array.from(this.store.keys(), (key) => chooser(key, this.get(key)!))
  }

  /** Returns the user under this key as the server sent it, or `undefined`. */
  get(key: string): PresenceEntry<F> | undefined {
    return this.store.get(key)
  }

  /** Whether the state of the channel's current join has not arrived yet. */
  inPendingSyncState(): boolean {
    return this.#sync.isPending
  }

  /** Removes all callbacks from the channel. The last view stays readable. */
  dispose(): void {
    this.#sync.stop()
  }
}
