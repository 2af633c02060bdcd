import type { Row, TrackedMeta } from "../../tracker/tracker.ts"
import type { PresenceEntry, PresenceState } from "../../wire/presence-payloads.ts"
import { DeviceRows, inDeviceOrder } from "./device-rows.ts"

/** One user of a topic. It is changed in place until a snapshot contains it. After that, a changed copy replaces it. */
export interface User {
  readonly key: string
  /** The user's position in the order of arrival. Users are listed in this order. */
  readonly arrived: number
  /** How many snapshots of the topic existed when this object was made. If there are more now, it must not be changed. */
  readonly madeAfter: number
  /** The user's rows. A single row is stored without a list, which saves memory because most users have one device. */
  rows: Row | DeviceRows
  /** The fields that `fetch` returned for the user. */
  fields: object | undefined
  /** The cached result of `entryOf`, until the user changes. */
  entry: PresenceEntry | undefined
  /** The cached result of `jsonOf`, until the user changes. */
  json: string | undefined
}

/** Returns a user in the form for applications and clients, frozen. */
export function entryOf(user: User): PresenceEntry {
  user.entry ??= entryOfRows(user.rows, user.fields)
  return user.entry
}

/** Returns the users for which a filter returns `true`, by their keys. */
export function filteredState(
  users: Iterable<User>,
  filter: (key: string, entry: PresenceEntry) => boolean,
): PresenceState {
  const shown = Object.create(null) as Record<string, PresenceEntry>
  for (const user of users) {
    const entry = entryOf(user)
    if (filter(user.key, entry)) shown[user.key] = entry
  }
  return shown
}

/** Returns a user's part of the JSON of a state, with its key. */
export function jsonOf(user: User): string {
  if (user.json === undefined) {
    const entry = user.entry ?? { ...user.fields, metas: metasOf(user.rows) }
    // `join`, because a template string keeps a tree of its parts, which takes three times the memory.
    user.json = [JSON.stringify(user.key), JSON.stringify(entry)].join(":")
  }
  return user.json
}

/** Returns the entry of a user with these rows, which must be in order. */
export function entryOfRows(rows: Row | Iterable<Row>, fields: object | undefined): PresenceEntry {
  return Object.freeze({ ...fields, metas: Object.freeze(metasOf(rows)) })
}

/**
 * Returns rows grouped by key, in the form of states and diffs. It has no prototype, because a key may be `__proto__`.
 *
 * @param fieldsOf returns the fields that `fetch` returned for a user
 */
export function stateOf(rows: Iterable<Row>, fieldsOf: (key: string) => object | undefined): PresenceState {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const known = groups.get(row.key)
    if (known === undefined) groups.set(row.key, [row])
    else known.push(row)
  }
  const state = Object.create(null) as Record<string, PresenceEntry>
  for (const [key, group] of groups) {
    state[key] = entryOfRows(group.length > 1 ? inDeviceOrder(group) : group, fieldsOf(key))
  }
  return Object.freeze(state)
}

function metasOf(rows: Row | Iterable<Row>): TrackedMeta[] {
  return Symbol.iterator in rows ? Array.from(rows, ({ meta }) => meta) : [rows.meta]
}
