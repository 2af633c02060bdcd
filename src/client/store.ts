/**
 * The live view of one channel: immutable snapshots of its users, and the changes between them. The cost of a change
 * does not depend on the number of users.
 */
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import { ListenerSet, type Undo } from "../listeners.ts"

/**
 * Whether the view is up to date.
 *
 * - `joining`: no state has arrived yet.
 * - `live`: in sync with the server.
 * - `stale`: the connection or the channel broke after the view was live. The last view is kept until the next state arrives.
 * - `closed`: we left, or the server closed the channel or refused the join. The last view is kept and does not change any more.
 */
export type Status = "joining" | "live" | "stale" | "closed"

/**
 * One user in a snapshot: the presence as the server sent it, and its key. It has at least one meta. The entry and its
 * metas are frozen.
 */
export type Entry<F extends object = Record<string, unknown>> = {
  readonly key: string
  readonly metas: readonly [Meta<F>, ...Meta<F>[]]
  /** When the user left, in ms since 1970, if the room's `keepLeftMs` keeps it in the view. */
  readonly leftAt?: number
  readonly [extra: string]: unknown
}

/**
 * The change of one user in one frame. It is an update if a further device joins, a device changes, or one of several
 * leaves.
 *
 * With the option `keepLeftMs` of a room, a leave has a `current`: the entry with its `leftAt`. It is removed later (`remove`),
 * unless the user joins again, with that entry as `previous`.
 */
export type Change<F extends object = Record<string, unknown>> =
  | {
      readonly type: "join"
      readonly key: string
      readonly current: Entry<F>
      readonly previous?: Entry<F> | undefined
    }
  | { readonly type: "update"; readonly key: string; readonly current: Entry<F>; readonly previous: Entry<F> }
  | {
      readonly type: "leave"
      readonly key: string
      readonly current?: Entry<F> | undefined
      readonly previous: Entry<F>
    }
  | { readonly type: "remove"; readonly key: string; readonly current?: undefined; readonly previous: Entry<F> }

/** The view at one moment. It never changes; `getSnapshot` returns the same object until the view changes. */
export type Snapshot<F extends object = Record<string, unknown>> = {
  readonly status: Status
  /** The number of users that are present: without those that have left (`leftAt`). */
  readonly size: number
  /** All users in order of first arrival. A user that did not change is the same object in the next snapshot. */
  readonly users: readonly Entry<F>[]
  get(key: string): Entry<F> | undefined
}

/** The presences of a channel in order of first arrival. `Sync` writes the presences, and the owner sets the status. */
export interface Store<F extends object = Record<string, unknown>> {
  readonly size: number
  readonly status: Status
  /** The users that have left and are kept. */
  readonly left: ReadonlySet<string>
  /** Returns the user as the server sent it. */
  get(key: string): PresenceEntry<F> | undefined
  keys(): Iterable<string>
  /** Returns all users as the server sent them, in order of first arrival. */
  values(): Iterable<PresenceEntry<F>>
  /** Returns the user as it is in snapshots. */
  entry(key: string): Entry<F> | undefined
  /** Returns the current view. It is built when it is read, at most once for each change. */
  readonly getSnapshot: () => Snapshot<F>
  /** Calls `listener` after each change of the snapshot. */
  readonly subscribe: (listener: () => void) => Undo
  /**
   * Calls `listener` after each change of the snapshot or, with a key, of the entry of this user. The cost of a key does not
   * depend on the number of other keys.
   */
  readonly watch: (listener: () => void, key?: string) => Undo
  /** Calls `listener` with the users that joined, changed or left, once for each frame that changed something. */
  readonly onChange: (listener: (changes: readonly Change<F>[]) => void) => Undo
  /**
   * Writes changes; `undefined` removes a user. Listeners are called at the next `notify`.
   *
   * @param isLeft whether the written users have left, and are kept
   */
  commit(changes: ReadonlyMap<string, PresenceEntry<F> | undefined>, isLeft?: boolean): void
  setStatus(status: Status): void
  /**
   * Makes the next snapshot a new object, because something that is shown beside it changed, such as a room's reason.
   */
  touch(): void
  /** Calls the listeners if anything was committed since the last call. */
  notify(): void
}

/**
 * @param failed gets what a listener throws
 * @param former a view with which this one begins
 */
export function createStore<F extends object>(failed: (cause: unknown) => void, former?: Store<F>): Store<F> {
  const presences = new Map(former && Array.from(former.keys(), (key) => [key, former.get(key)!]))
  const left = new Set(former?.left)
  const listeners = new ListenerSet<[]>()
  /** Listeners of single users, by key. */
  const watchers = new Map<string, ListenerSet<[]>>()
  const changeListeners = new ListenerSet<[changes: readonly Change<F>[]]>()
  // Built at the first read, and kept up to date from then on. A view that is never read costs nothing.
  let entries: Map<string, Entry<F>> | undefined
  let snapshot: Snapshot<F> | undefined
  let status: Status = former?.status ?? "joining"
  let changes: Change<F>[] = []
  /** The watched users that have changed since the last `notify`. */
  let watched = new Set<string>()
  let isDirty = false

  const touch = (): void => {
    snapshot = undefined
    isDirty = true
  }

  const activate = (): Map<string, Entry<F>> => {
    if (!entries) {
      entries = new Map()
      for (const [key, presence] of presences) entries.set(key, entryOf(key, presence))
    }
    return entries
  }

  const build = (): Snapshot<F> => {
    const current = activate()
    const users = Object.freeze([...current.values()])
    let index: Map<string, Entry<F>> | undefined
    const built: Snapshot<F> = Object.freeze({
      status,
      size: users.length - left.size,
      users,
      get: (key: string): Entry<F> | undefined => {
        if (snapshot === built) return current.get(key)
        // The view has changed since this snapshot was built, so the snapshot builds an index of its own, once.
        index ??= new Map(users.map((user) => [user.key, user]))
        return index.get(key)
      },
    })
    return built
  }

  return {
    get size() {
      return presences.size - left.size
    },
    left,
    get status() {
      return status
    },
    get: (key) => presences.get(key),
    keys: () => presences.keys(),
    values: () => presences.values(),
    entry: (key) => activate().get(key),
    getSnapshot: () => (snapshot ??= build()),
    subscribe: (listener) => listeners.add(listener),
    watch(listener, key) {
      if (key === undefined) return listeners.add(listener)
      activate()
      const ofKey = watchers.get(key) ?? new ListenerSet()
      watchers.set(key, ofKey)
      const undo = ofKey.add(listener)
      return () => {
        undo()
        if (ofKey.size === 0 && watchers.get(key) === ofKey) watchers.delete(key)
      }
    },
    onChange(listener) {
      activate()
      return changeListeners.add(listener)
    },
    commit(written, isLeft) {
      for (const [key, presence] of written) {
        const before = presences.get(key)
        if (presence === before) continue
        const wasLeft = left.delete(key)
        if (isLeft) left.add(key)
        if (presence) presences.set(key, presence)
        else presences.delete(key)
        touch()
        if (!entries) continue
        const previous = entries.get(key)
        const current = presence && entryOf(key, presence, before, previous)
        if (current) entries.set(key, current)
        else entries.delete(key)
        if (watchers.has(key)) watched.add(key)
        if (changeListeners.size === 0) continue
        const type = !previous || wasLeft ? (current ? "join" : "remove") : !current || isLeft ? "leave" : "update"
        changes.push({ type, key, current, previous } as Change<F>)
      }
    },
    setStatus(next) {
      if (next === status) return
      status = next
      touch()
    },
    touch,
    notify() {
      if (!isDirty) return
      const [all, keys] = [changes, watched]
      isDirty = false
      changes = []
      if (keys.size > 0) watched = new Set()
      if (all.length > 0) changeListeners.emit(failed, all)
      for (const key of keys) watchers.get(key)?.emit(failed)
      listeners.emit(failed)
    },
  }
}

/**
 * Returns a frozen entry. Metas are copied, because other code uses the payload, which must not be frozen. A meta that
 * stayed keeps its copy.
 */
function entryOf<F extends object>(
  key: string,
  presence: PresenceEntry<F>,
  before?: PresenceEntry<F>,
  previous?: Entry<F>,
): Entry<F> {
  let from = 0
  const metas = presence.metas.map((meta) => {
    const at = before?.metas.indexOf(meta, from) ?? -1
    if (at < 0) return Object.freeze({ ...meta })
    from = at + 1
    return previous!.metas[at]!
  })
  return Object.freeze({ ...presence, key, metas: Object.freeze(metas) as unknown as Entry<F>["metas"] })
}
