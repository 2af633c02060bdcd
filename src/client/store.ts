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
  readonly [extra: string]: unknown
}

/**
 * The change of one user in one frame. It is an update if a further device joins, a device changes, or one of several
 * leaves.
 */
export type Change<F extends object = Record<string, unknown>> =
  | { readonly type: "join"; readonly key: string; readonly current: Entry<F>; readonly previous?: undefined }
  | { readonly type: "update"; readonly key: string; readonly current: Entry<F>; readonly previous: Entry<F> }
  | { readonly type: "leave"; readonly key: string; readonly current?: undefined; readonly previous: Entry<F> }

/** The view at one moment. It never changes; `getSnapshot` returns the same object until the view changes. */
export type Snapshot<F extends object = Record<string, unknown>> = {
  readonly status: Status
  readonly size: number
  /** All users in order of first arrival. A user that did not change is the same object in the next snapshot. */
  readonly users: readonly Entry<F>[]
  get(key: string): Entry<F> | undefined
}

/** The presences of a channel in order of first arrival. `Sync` writes the presences, and the owner sets the status. */
export class Store<F extends object = Record<string, unknown>> {
  readonly #presences: Map<string, PresenceEntry<F>>
  readonly #listeners = new ListenerSet<[]>()
  readonly #changeListeners = new ListenerSet<[changes: readonly Change<F>[]]>()
  readonly #failed: (cause: unknown) => void
  // Built at the first read, and kept up to date from then on. A view that is never read costs nothing.
  #entries: Map<string, Entry<F>> | undefined
  #snapshot: Snapshot<F> | undefined
  #status: Status
  #changes: Change<F>[] = []
  #dirty = false

  /**
   * @param failed gets what a listener throws
   * @param former a view with which this one begins
   */
  constructor(failed: (cause: unknown) => void, former?: Store<F>) {
    this.#failed = failed
    this.#presences = new Map(former && former.#presences)
    this.#status = former?.status ?? "joining"
  }

  get size(): number {
    return this.#presences.size
  }

  get status(): Status {
    return this.#status
  }

  /** Returns the user as the server sent it. */
  get(key: string): PresenceEntry<F> | undefined {
    return this.#presences.get(key)
  }

  keys(): Iterable<string> {
    return this.#presences.keys()
  }

  /** Returns all users as the server sent them, in order of first arrival. */
  values(): Iterable<PresenceEntry<F>> {
    return this.#presences.values()
  }

  /** Returns the user as it is in snapshots. */
  entry(key: string): Entry<F> | undefined {
    return this.#activate().get(key)
  }

  /** Returns the current view. It is built when it is read, at most once for each change. */
  readonly getSnapshot = (): Snapshot<F> => {
    this.#snapshot ??= this.#build()
    return this.#snapshot
  }

  /** Calls `listener` after each change of the snapshot. */
  readonly subscribe = (listener: () => void): Undo => this.#listeners.add(listener)

  /** Calls `listener` with the users that joined, changed or left, once for each frame that changed something. */
  readonly onChange = (listener: (changes: readonly Change<F>[]) => void): Undo => {
    this.#activate()
    return this.#changeListeners.add(listener)
  }

  /** Writes the changes of a frame; `undefined` removes a user. Listeners are called at the next `notify`. */
  commit(changes: ReadonlyMap<string, PresenceEntry<F> | undefined>): void {
    for (const [key, presence] of changes) {
      const before = this.#presences.get(key)
      if (presence === before) continue
      if (presence) this.#presences.set(key, presence)
      else this.#presences.delete(key)
      this.touch()
      if (!this.#entries) continue
      const previous = this.#entries.get(key)
      const current = presence && entryOf(key, presence, before, previous)
      if (current) this.#entries.set(key, current)
      else this.#entries.delete(key)
      if (this.#changeListeners.size === 0) continue
      const type = !previous ? "join" : current ? "update" : "leave"
      this.#changes.push({ type, key, current, previous } as Change<F>)
    }
  }

  setStatus(status: Status): void {
    if (status === this.#status) return
    this.#status = status
    this.touch()
  }

  /**
   * Makes the next snapshot a new object, because something that is shown beside it changed, such as a room's reason.
   */
  touch(): void {
    this.#snapshot = undefined
    this.#dirty = true
  }

  /** Calls the listeners if anything was committed since the last call. */
  notify(): void {
    if (!this.#dirty) return
    const changes = this.#changes
    this.#dirty = false
    this.#changes = []
    if (changes.length > 0) this.#changeListeners.emit(this.#failed, changes)
    this.#listeners.emit(this.#failed)
  }

  #activate(): Map<string, Entry<F>> {
    if (!this.#entries) {
      this.#entries = new Map()
      for (const [key, presence] of this.#presences) this.#entries.set(key, entryOf(key, presence))
    }
    return this.#entries
  }

  #build(): Snapshot<F> {
    const entries = this.#activate()
    const users = Object.freeze([...entries.values()])
    let index: Map<string, Entry<F>> | undefined
    const snapshot: Snapshot<F> = Object.freeze({
      status: this.#status,
      size: users.length,
      users,
      get: (key: string): Entry<F> | undefined => {
        if (this.#snapshot === snapshot) return entries.get(key)
        // The view has changed since this snapshot was built, so the snapshot builds an index of its own, once.
        index ??= new Map(users.map((user) => [user.key, user]))
        return index.get(key)
      },
    })
    return snapshot
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
