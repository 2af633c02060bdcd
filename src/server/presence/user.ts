import type { Row, TrackedMeta } from "../../tracker/tracker.ts"
import type { PresenceEntry } from "../../wire/presence.ts"
import { DeviceRows } from "./device-rows.ts"

/** One user of a topic, at one moment or, while no snapshot has it, from change to change. */
export interface User {
  readonly key: string
  /** A number that grows with each user that comes: users are listed in its order. */
  readonly arrived: number
  /** How many snapshots of the topic there were when this was made: later ones have it as well, and it may not change. */
  readonly madeAfter: number
  /** One row as it is, without a list around it: most users have one device. */
  rows: Row | DeviceRows
  /** What `fetch` found for the user. */
  fields: object | undefined
  entry: PresenceEntry | undefined
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

/** Makes an entry of rows that are in order. */
export function entryOfRows(rows: Row | Iterable<Row>, fields: object | undefined): PresenceEntry {
  return Object.freeze({ ...fields, metas: Object.freeze(metasOf(rows)) })
}

function metasOf(rows: Row | Iterable<Row>): TrackedMeta[] {
  return Symbol.iterator in rows ? Array.from(rows, ({ meta }) => meta) : [rows.meta]
}
