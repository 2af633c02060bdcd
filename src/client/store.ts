/** The live view of one room: who is here, as immutable snapshots, and who changed. Costs the change, never the room. */
import type { Meta, PresenceEntry } from "../wire/presence.ts"
import { ListenerSet, type Undo } from "../listeners.ts"

/**
 * How far the view can be trusted.
 *
 * - `joining`: no state has come yet.
 * - `live`: in step with the server.
 * - `stale`: was live; the connection or the channel broke since. The last view is kept until the next state.
 * - `closed`: left, closed by the server, or refused. The last view is kept and nothing will change it.
 */
export type Status = "joining" | "live" | "stale" | "closed"

/** One user as a snapshot shows it: the presence as the wire has it, with its key. Frozen, its metas too; never empty. */
export type Entry<F extends object = Record<string, unknown>> = {
  readonly key: string
  readonly metas: readonly [Meta<F>, ...Meta<F>[]]
  readonly [extra: string]: unknown
}

/** What happened to one user in one frame. A second device that comes, and a device that changes, are updates. */
export type Change<F extends object = Record<string, unknown>> =
  | { readonly type: "join"; readonly key: string; readonly current: Entry<F>; readonly previous?: undefined }
  | { readonly type: "update"; readonly key: string; readonly current: Entry<F>; readonly previous: Entry<F> }
  | { readonly type: "leave"; readonly key: string; readonly current?: undefined; readonly previous: Entry<F> }

/** The view at one moment: it never changes, and `getSnapshot` returns the same one until the view does. */
export type Snapshot<F extends object = Record<string, unknown>> = {
  readonly status: Status
  readonly size: number
  /** In order of first arrival; a user who did not change is the same object from snapshot to snapshot. */
  readonly users: readonly Entry<F>[]
  get(key: string): Entry<F> | undefined
}

/** Keeps the presences of a room, in order of first arrival. `Sync` writes into it; all else reads. */
export class Store<F extends object = Record<string, unknown>> {
  readonly #presences = new Map<string, PresenceEntry<F>>()
  readonly #listeners = new ListenerSet<[]>()
  readonly #changeListeners = new ListenerSet<[changes: readonly Change<F>[]]>()
  readonly #failed: (cause: unknown) => void
  // Made on first read, then kept in step, so that a room that nobody looks at costs nothing.
  #entries: Map<string, Entry<F>> | undefined
  #snapshot: Snapshot<F> | undefined
  #status: Status = "joining"
  #changes: Change<F>[] = []
  #dirty = false

  /** @param failed gets what a listener throws */
  constructor(failed: (cause: unknown) => void) {
    this.#failed = failed
  }

  get size(): number {
    return this.#presences.size
  }

  get status(): Status {
    return this.#status
  }

  /** The user as the wire has it. */
  get(key: string): PresenceEntry<F> | undefined {
    return this.#presences.get(key)
  }

  keys(): Iterable<string> {
    return this.#presences.keys()
  }

  /** All users as the wire has them, in order of first arrival. */
  values(): Iterable<PresenceEntry<F>> {
    return this.#presences.values()
  }

  /** The user as snapshots show it. */
  entry(key: string): Entry<F> | undefined {
    return this.#activate().get(key)
  }

  /** The view as it is now: built at most once for each change, and only when read. */
  readonly getSnapshot = (): Snapshot<F> => {
    this.#snapshot ??= this.#build()
    return this.#snapshot
  }

  /** Calls `listener` after each change of the snapshot. */
  readonly subscribe = (listener: () => void): Undo => this.#listeners.add(listener)

  /** Calls `listener` with who joined, changed or left, once for each frame that did something. */
  readonly onChange = (listener: (changes: readonly Change<F>[]) => void): Undo => {
    this.#activate()
    return this.#changeListeners.add(listener)
  }

  /** Writes a frame's changes, `undefined` where a user is gone. Listeners hear of it at the next `notify`. */
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

  /** Makes the next snapshot a new one: for what its reader shows beside it. */
  touch(): void {
    this.#snapshot = undefined
    this.#dirty = true
  }

  /** Tells the listeners what was committed since the last time, if anything was. */
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
        // The view has moved on: an old snapshot that is still asked pays for its own index, once.
        index ??= new Map(users.map((user) => [user.key, user]))
        return index.get(key)
      },
    })
    return snapshot
  }
}

/** A frozen entry. Metas are copied, for the wire's objects are not ours to freeze; those that stayed keep their copy. */
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
