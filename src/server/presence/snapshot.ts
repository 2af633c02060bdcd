import { Payload } from "../../wire/payload.ts"
import type { PresenceEntry, PresenceState } from "../../wire/presence-payloads.ts"
import { lazyObject } from "./lazy-object.ts"
import type { StatePieces } from "./state-pieces.ts"
import { entryOf, jsonOf } from "./user.ts"
import type { User } from "./user.ts"

/**
 * The users of one topic at one moment. The object that applications get is built only when it is read.
 *
 * So a snapshot that is sent and not read costs the same for ten users as for ten thousand, apart from its JSON. Until it is
 * read, a snapshot stores the users that were replaced between it and the next snapshot. That one stores the users that were
 * replaced after it, and so on up to the current users. Together they restore the past state (Baker's persistent arrays).
 * `TopicView` limits the number of stored users.
 */
export class Snapshot {
  /** The users by key, as applications get them: a frozen object without a prototype, since a key may be `__proto__`. */
  readonly state: PresenceState
  /** The state for clients, encoded once for all of them. */
  readonly payload: Payload

  /** The present users of the topic. The view changes this map. */
  readonly #current: ReadonlyMap<string, User>
  readonly #onRead: (() => void) | undefined
  /** The users of this snapshot, in the order of their arrival, once they are known. */
  #users: readonly User[] | undefined
  /** The users that were replaced between this snapshot and the next one: key → user, or `undefined` for a key without one. */
  #replaced: Map<string, User | undefined> | undefined
  #next: Snapshot | undefined

  /**
   * @param onRead called when users are read, by `state` or `read`
   * @param pieces what the pieces of former states are reused from
   */
  constructor(current: ReadonlyMap<string, User>, onRead: (() => void) | undefined, pieces: StatePieces) {
    this.#current = current
    this.#onRead = onRead
    this.state = lazyObject<Record<string, PresenceEntry>>((state) => {
      for (const user of this.read()) state[user.key] = entryOf(user)
    })
    this.payload = Payload.lazy(
      () => this.state,
      () => `{${this.#list().map(jsonOf).join(",")}}`,
    )
    this.payload.pieces = () => pieces.of(this.#list())
  }

  /** Whether this snapshot stores its users, so that changes need not be recorded any more. */
  get isSettled(): boolean {
    return this.#users !== undefined
  }

  /** Records the user that a change replaces. Returns `false` if that is not necessary. */
  record(key: string, user: User | undefined): boolean {
    if (this.#users !== undefined || this.#replaced?.has(key) === true) return false
    this.#replaced = (this.#replaced ?? new Map<string, User | undefined>()).set(key, user)
    return true
  }

  /** Sets the next snapshot. From now on, changes are recorded there. */
  follow(next: Snapshot): void {
    if (this.#users === undefined) this.#next = next
  }

  /** Returns the users, and counts as reading. It is several times as fast as reading the properties of `state`. */
  read(): readonly User[] {
    this.#onRead?.()
    return this.settle()
  }

  /** Returns the users, and stores them instead of the records from which they are computed. */
  settle(): readonly User[] {
    this.#users ??= this.#list()
    this.#replaced = undefined
    this.#next = undefined
    return this.#users
  }

  #list(): readonly User[] {
    const replaced = new Map<string, User | undefined>()
    const base = this.#collect(replaced)
    if (replaced.size === 0) return [...base]
    const users: User[] = []
    for (const user of base) if (!replaced.has(user.key)) users.push(user)
    for (const user of replaced.values()) if (user !== undefined) users.push(user)
    return users.sort((one, other) => one.arrived - other.arrived)
  }

  /** Adds the users that have been replaced since to `replaced`, and returns the users to which they must be restored. */
  #collect(replaced: Map<string, User | undefined>): Iterable<User> {
    if (this.#users !== undefined) return this.#users
    let last = this.#addReplaced(replaced)
    while (last.#next !== undefined && last.#users === undefined) last = last.#next.#addReplaced(replaced)
    return last.#users ?? this.#current.values()
  }

  #addReplaced(replaced: Map<string, User | undefined>): Snapshot {
    for (const [key, user] of this.#replaced ?? []) if (!replaced.has(key)) replaced.set(key, user)
    return this
  }
}
