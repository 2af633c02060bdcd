/**
 * The live view of one channel: immutable snapshots of its users, and the changes between them. The cost of a change
 * does not depend on the number of users.
 */
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { changeOf, isEqualContent, linksIn, type Cause, type Change } from "./change.ts"
import type { PresenceEvent } from "./reducers.ts"

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

/** The view at one moment. It never changes; `getSnapshot` returns the same object until the view changes. */
export type Snapshot<F extends object = Record<string, unknown>> = {
  readonly status: Status
  /** The number of users that are present: without those that have left (`leftAt`). */
  readonly size: number
  /** All users in order of first arrival. A user that did not change is the same object in the next snapshot. */
  readonly users: readonly Entry<F>[]
  get(key: string): Entry<F> | undefined
}

/** Gets the users that joined, changed or left, and why. */
export type ChangeListener<F extends object = Record<string, unknown>> = (
  changes: readonly Change<F>[],
  cause: Cause,
) => void

/** The presences of a channel in order of first arrival. `Sync` writes the presences, and the owner sets the status. */
export interface Store<F extends object = Record<string, unknown>> {
  readonly size: number
  readonly status: Status
  /** The users that have left and are kept, in this order. */
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
  /** Calls `listener` after each change of the snapshot. `isSilent` is true if only references changed. */
  readonly subscribe: (listener: (isSilent: boolean) => void) => Undo
  /**
   * Calls `listener` with the users that joined, changed or left: once for each frame that changed something, and once for the
   * first state, even if it is empty. An update that changes only references is reported only with `silent: true`. Listeners
   * with `silent: true` are called before the others.
   */
  readonly onChange: (listener: ChangeListener<F>, options?: { readonly silent?: boolean }) => Undo
  /**
   * Writes the changes of a frame; `undefined` removes a user that is there. Listeners are called at the next `notify`. The map of
   * changes belongs to the store from then on.
   *
   * @param events those of the frame, by which a meta is found that was replaced more than once
   * @param kept which of the written users have left, and are kept
   */
  commit(
    changes: ReadonlyMap<string, PresenceEntry<F> | undefined>,
    cause?: Cause,
    events?: readonly PresenceEvent<F>[],
    kept?: ReadonlySet<string>,
  ): void
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
  let presences = new Map(former && Array.from(former.keys(), (key) => [key, former.get(key)!]))
  const left = new Set(former?.left)
  const listeners = new ListenerSet<[isSilent: boolean]>()
  const changeListeners = new ListenerSet<Parameters<ChangeListener<F>>>()
  const silentListeners = new ListenerSet<Parameters<ChangeListener<F>>>()
  // Built at the first read, and kept up to date from then on. A view that is never read costs nothing.
  let entries: Map<string, Entry<F>> | undefined
  let snapshot: Snapshot<F> | undefined
  let status: Status = former?.status ?? "joining"
  /** What was written since the last `notify`. */
  let changed: Parameters<typeof changeOf<F>>[] = []
  let why: Cause = "diff"
  let isDirty = false
  /** Whether something else than a user changed since then. */
  let isTouched = false

  const touch = (): void => {
    snapshot = undefined
    isDirty = isTouched = true
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
    onChange(listener, options) {
      activate()
      return (options?.silent ? silentListeners : changeListeners).add(listener)
    },
    commit(written, cause = "diff", events = [], kept) {
      const previousOf = entries && linksIn(events)
      why = cause
      // The first users of a view that nobody has read. Their map is taken as it is, which spares a copy of thousands.
      if (written.size && !presences.size && !entries) {
        presences = written as typeof presences
        isDirty = true
        return
      }
      for (const [key, presence] of written) {
        if (presence === presences.get(key)) continue
        if (presence) presences.set(key, presence)
        else presences.delete(key)
        const wasLeft = left.delete(key)
        const isLeft = kept?.has(key)
        if (isLeft) left.add(key)
        snapshot = undefined
        isDirty = true
        // Nobody has read the view, so nobody knows what was in it.
        if (!entries) continue
        const previous = entries.get(key)
        const current = presence && entryOf(key, presence)
        if (current) entries.set(key, current)
        else entries.delete(key)
        changed.push([key, previous, current, previousOf!, wasLeft, isLeft])
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
      const [all, cause, isQuiet] = [changed, why, !isTouched]
      changed = []
      why = "diff"
      isDirty = isTouched = false
      const loud = all.filter(([, previous, current]) => !(previous && current && isEqualContent(previous, current)))
      const report = (set: typeof changeListeners, those: typeof all): void => {
        if (set.size && (those.length || cause === "initial"))
          set.emit(
            failed,
            those.map((each) => changeOf(...each)),
            cause,
          )
      }
      report(silentListeners, all)
      report(changeListeners, loud)
      listeners.emit(failed, isQuiet && all.length > 0 && !loud.length)
    },
  }
}

/**
 * Returns a frozen entry, and gives its metas to the presence, so that they are kept once. Metas are copied, because other
 * code uses the payload, which must not be frozen. A meta that stayed is frozen already.
 */
function entryOf<F extends object>(key: string, presence: PresenceEntry<F>): Entry<F> {
  const metas = Object.freeze(
    presence.metas.map((meta) => (Object.isFrozen(meta) ? meta : Object.freeze({ ...meta }))),
  ) as unknown as Entry<F>["metas"]
  ;(presence as { metas: PresenceEntry<F>["metas"] }).metas = metas
  for (const name in presence) if (name !== "metas") return Object.freeze({ ...presence, key, metas })
  // Most users have no fields of their own. A literal takes a third of the time of a copy.
  return Object.freeze({ key, metas })
}
