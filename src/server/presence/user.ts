import type { Row, TrackedMeta } from "../../tracker/tracker.ts"
import type { PresenceEntry } from "../../wire/presence.ts"
import { DeviceRows } from "./device-rows.ts"

/** One user of a topic. It is changed in place until a snapshot contains it, and replaced by a changed copy from then on. */
export interface User {
  readonly key: string
  /** The number of the user's arrival in the topic. Users are listed in this order. */
  readonly arrived: number
  /** How many snapshots of the topic there were when this object was made. If there are more now, it must not change. */
  readonly madeAfter: number
  /** The user's rows. A single row has no list around it, which saves memory, as most users have one device. */
  rows: Row | DeviceRows
  /** What `fetch` found for the user. */
  fields: object | undefined
  /** What `entryOf` returns, kept until the user changes. */
  entry: PresenceEntry | undefined
  /** What `jsonOf` returns, kept until the user changes. */
  json: string | undefined
}

/** Returns a user as applications and clients get it, frozen. */
export function entryOf(user: User): PresenceEntry {
  user.entry ??= entryOfRows(user.rows, user.fields)
  return user.entry
}

/** Returns a user's part of the JSON of a state, with its key. */
export function jsonOf(user: User): string {
  if (user.json === undefined) {
    const entry = user.entry ?? { ...user.fields, metas: metasOf(user.rows) }
    // Joined, since a template keeps a tree of its parts, which takes three times the memory.
    user.json = [JSON.stringify(user.key), JSON.stringify(entry)].join(":")
  }
  return user.json
}

/** Returns the entry of a user with these rows, which must be in order. */
export function entryOfRows(rows: Row | Iterable<Row>, fields: object | undefined): PresenceEntry {
  return Object.freeze({ ...fields, metas: Object.freeze(metasOf(rows)) })
}

function metasOf(rows: Row | Iterable<Row>): TrackedMeta[] {
  return Symbol.iterator in rows ? Array.from(rows, ({ meta }) => meta) : [rows.meta]
}
