/** Phoenix's `Presence`, typed and mended: who is in a channel, kept in step with the server. */
import type { RollcallError } from "../error.ts"
import type { PresenceEntry, PresenceState } from "../wire/presence.ts"
import { guard, ListenerSet, type Undo } from "../listeners.ts"
import { Errors } from "./callback-errors.ts"
import { copyOf } from "./metas.ts"
import { list, syncDiff, syncState, type Chooser, type OnJoin, type OnLeave } from "./reducers.ts"
import { Store } from "./store.ts"
import { Sync, type ChannelLike, type PresenceOptions } from "./sync.ts"

/**
 * The presences of one channel, fed by its `presence_state` and `presence_diff` events.
 *
 * Diffs that come before the state wait for it, tagged with the join they belong to. A frame is applied whole or not at
 * all; callbacks run after it, so that what they read is the new view (C42), and one that throws stops neither the
 * others nor the next frame. Frames that a callback causes wait their turn.
 *
 * Users are listed in order of first arrival; keys that look like integers are keys like others.
 */
export class Presence<F extends object = Record<string, unknown>> {
  /** The reducers, as phoenix.js has them: pure, and free of `this`. */
  static readonly syncState: typeof syncState = syncState
  static readonly syncDiff: typeof syncDiff = syncDiff
  static readonly list: typeof list = list

  /** The view itself: immutable snapshots to render from, `subscribe`, `onChange`. */
  readonly store: Store<F>
  readonly #errors = new Errors()
  readonly #joins = new ListenerSet<Parameters<OnJoin<F>>>()
  readonly #leaves = new ListenerSet<Parameters<OnLeave<F>>>()
  readonly #syncs = new ListenerSet<[]>()
  readonly #sync: Sync<F>

  constructor(channel: ChannelLike, options: PresenceOptions = {}) {
    const { report, failed } = this.#errors
    this.store = new Store<F>(failed)
    this.#sync = new Sync(channel, this.store, options, {
      failed: report,
      applied: (events) => {
        for (const [isJoin, key, current, source, metas] of events) {
          const listeners = isJoin ? this.#joins : this.#leaves
          // A deep copy, as in the reducers: what a callback does to it does not change the view (C9). It is made within
          // the guard, because a meta that is nested too deeply cannot be copied.
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

  /** The presences as phoenix.js keeps them, by key: built at each read, in a room of its own. */
  get state(): PresenceState<F> {
    const state = Object.create(null) as Record<string, PresenceEntry<F>>
    this.list((key, presence) => (state[key] = presence))
    return state
  }

  /** How many users are here. */
  get size(): number {
    return this.store.size
  }

  /** Calls `callback` for each key with new metas; `current` is the user before, `undefined` if this is the first device. */
  onJoin(callback: OnJoin<F>): Undo {
    return this.#joins.add(callback)
  }

  /** Calls `callback` for each key with fewer metas; `current` is the user after, with empty metas if this was the last device. */
  onLeave(callback: OnLeave<F>): Undo {
    return this.#leaves.add(callback)
  }

  /** Calls `callback` once after each applied frame, changed or not; a state with the diffs that waited for it is one. */
  onSync(callback: () => void): Undo {
    return this.#syncs.add(callback)
  }

  /** Calls `callback` for what has no caller to throw at: `bad_frame`, `pending_overflow`, `callback_failed`. */
  onError(callback: (error: RollcallError) => void): Undo {
    return this.#errors.add(callback)
  }

  /** All users in order of first arrival: each as it is on the wire, or what `chooser` picks. */
  list(): PresenceEntry<F>[]
  list<T>(chooser: Chooser<F, T> | null | undefined): T[]
  list<T>(chooser?: Chooser<F, T> | null): (T | PresenceEntry<F>)[] {
    if (!chooser) return [...this.store.values()]
    return Array.from(this.store.keys(), (key) => chooser(key, this.get(key)!))
  }

  /** The user under this key, as it is on the wire. */
  get(key: string): PresenceEntry<F> | undefined {
    return this.store.get(key)
  }

  /** Whether the state of the channel's current join is still to come. */
  inPendingSyncState(): boolean {
    return this.#sync.isPending
  }

  /** Unbinds from the channel. The last view stays readable. */
  dispose(): void {
    this.#sync.stop()
  }
}
