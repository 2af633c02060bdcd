import type { Row, TopicDiff } from "../../tracker/tracker.ts"
import { countedValue } from "../../wire/introduction.ts"
import type { PresenceEntry } from "../../wire/presence-payloads.ts"
import { DeviceRows } from "./device-rows.ts"
import { Snapshot } from "./snapshot.ts"
import { StatePieces } from "./state-pieces.ts"
import { entryOf } from "./user.ts"
import type { User } from "./user.ts"

/** The callbacks of a view. */
export interface TopicViewOptions {
  /** Returns the fields that `fetch` returned for a user. */
  readonly fieldsOf?: (key: string) => object | undefined
  /** Called when a snapshot is made. It may return a function to call when that snapshot is read. */
  readonly onSnapshot?: () => (() => void) | undefined
}

/** The least number of changes that may be recorded for unread snapshots. In a larger topic it is the number of users. */
const MIN_RECORDED = 32

/**
 * The users of one topic, updated with each change. The cost of a change does not depend on the size of the topic. A snapshot
 * costs almost nothing unless it is read.
 */
export class TopicView {
  readonly #options: TopicViewOptions
  readonly #users = new Map<string, User>()
  readonly #pieces = new StatePieces()
  #arrivals = 0
  #snapshots = 0
  /** The current snapshot, until the next change. */
  #current: Snapshot | undefined
  /** The last snapshot, unless it stores its users. Changes record in it the users that they replace. */
  #last: Snapshot | undefined
  #recorded = 0

  constructor(rows: Iterable<Row>, options: TopicViewOptions = {}) {
    this.#options = options
    for (const row of rows) this.#put(row)
  }

  get isEmpty(): boolean {
    return this.#users.size === 0
  }

  /** The number of users. */
  get size(): number {
    return this.#users.size
  }

  /** Returns the number of users for each value of a field of their oldest meta. */
  countBy(field: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { rows } of this.#users.values()) {
      const meta = rows instanceof DeviceRows ? rows.first?.meta : rows.meta
      const value = meta && Object.hasOwn(meta, field) ? countedValue(meta[field]) : undefined
      if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    return counts
  }

  /** Returns the present state of the topic: the same snapshot until the next change. */
  get snapshot(): Snapshot {
    if (this.#current !== undefined) return this.#current
    const snapshot = new Snapshot(this.#users, this.#options.onSnapshot?.(), this.#pieces)
    this.#last?.follow(snapshot)
    this.#last = snapshot
    this.#current = snapshot
    this.#snapshots += 1
    return snapshot
  }

  /** Returns one user, or `undefined`. */
  get(key: string): PresenceEntry | undefined {
    const user = this.#users.get(key)
    return user && entryOf(user)
  }

  /**
   * Applies a change. A join of a row that the view has, and a leave of a row that it lacks, have no effect: a view may be made
   * after a change of the tracker, but before the tracker reports that change.
   */
  apply({ joins, leaves }: TopicDiff): void {
    this.#bound()
    this.#current = undefined
    // Joins first: in an update, the new row then takes the place of the old one, and the user keeps its place in the list.
    for (const row of joins) this.#put(row)
    for (const row of leaves) this.#delete(row)
  }

  /**
   * Stops recording for the last snapshot when it has been read, or when as many changes have been recorded as there are users.
   * In the second case, the snapshot computes and stores its users. So an unread snapshot that an application keeps takes at most
   * twice the memory of the topic, and this adds only a constant to the cost of a change.
   */
  #bound(): void {
    const isFull = this.#recorded >= Math.max(this.#users.size, MIN_RECORDED)
    if (!isFull && this.#last?.isSettled !== true) return
    this.#last?.settle()
    this.#last = undefined
    this.#recorded = 0
  }

  #put(row: Row): void {
    const { key } = row
    const fields = this.#options.fieldsOf?.(key)
    const known = this.#users.get(key)
    if (known === undefined) {
      this.#record(key, undefined)
      this.#arrivals += 1
      this.#users.set(key, this.#userOf({ key, arrived: this.#arrivals, rows: row, fields }))
      return
    }
    const user = this.#writable(known)
    user.fields = fields
    const { rows } = user
    if (rows instanceof DeviceRows) rows.put(row)
    else user.rows = rows.pid === row.pid ? row : new DeviceRows([rows, row])
  }

  #delete(row: Row): void {
    const known = this.#users.get(row.key)
    if (known === undefined) return
    if (known.rows instanceof DeviceRows) {
      const { rows } = this.#writable(known)
      ;(rows as DeviceRows).delete(row)
      if (!(rows as DeviceRows).isEmpty) return
    } else if (known.rows.meta.phx_ref !== row.meta.phx_ref) return
    this.#record(row.key, known)
    this.#users.delete(row.key)
  }

  /** Returns a user that may be changed: the user itself or, if a snapshot contains it, a copy that replaces it. */
  #writable(user: User): User {
    if (user.madeAfter === this.#snapshots) {
      user.entry = user.json = undefined
      return user
    }
    this.#record(user.key, user)
    const { key, arrived, rows, fields } = user
    const copied = rows instanceof DeviceRows ? rows.copy() : rows
    const copy = this.#userOf({ key, arrived, rows: copied, fields })
    this.#users.set(key, copy)
    return copy
  }

  #userOf({ key, arrived, rows, fields }: Pick<User, "key" | "arrived" | "rows" | "fields">): User {
    return { key, arrived, madeAfter: this.#snapshots, rows, fields, entry: undefined, json: undefined }
  }

  #record(key: string, user: User | undefined): void {
    if (this.#last?.record(key, user) === true) this.#recorded += 1
  }
}
