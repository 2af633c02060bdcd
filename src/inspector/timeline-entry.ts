/** What the timeline shows: messages, changes of the users, and what happened to the connection. */
import type { Cause, Change } from "../client/change.ts"
import { isFrame, type RecordingEntry } from "../testing/recording.ts"

/**
 * What an entry is.
 *
 * - `in`, `out`: a message from the server, or to it.
 * - `change`: users of a room have changed.
 * - `status`: the connection or a room has another status.
 * - `dropped`: a message that the inspector has dropped.
 */
export type EntryKind = "in" | "out" | "change" | "status" | "dropped"

/** One entry of the timeline. */
export interface TimelineEntry {
  /** It grows from entry to entry. */
  readonly id: number
  /** In milliseconds since 1970. */
  readonly at: number
  readonly kind: EntryKind
  /** Empty for the connection. */
  readonly topic: string
  /** The event of a message, the cause of a change, or a status. */
  readonly name: string
  /** One line about it. */
  readonly text: string
  /** What is shown of it in full. */
  readonly detail: unknown
  readonly bytes: number
  /** What the recording has of it. */
  readonly recorded?: RecordingEntry
}

type New = Omit<TimelineEntry, "id" | "at">

const MAX_TEXT = 120
/** How many users of a change are named. */
const MAX_NAMED = 20
/** What an entry takes besides what it says, in bytes. */
const ENTRY_BYTES = 64

const short = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text)

/** Returns the entry of what was recorded. */
export function recordedEntry(recorded: RecordingEntry, bytes: number): New {
  if (isFrame(recorded)) {
    const [, kind, joinRef, ref, topic, name, payload] = recorded
    return {
      kind,
      topic,
      name,
      text: textOf(payload, bytes),
      detail: { topic, event: name, ref, joinRef, payload },
      bytes,
      recorded,
    }
  }
  const [, what, ...rest] = recorded
  const detail = { what, ...(what === "close" ? { code: rest[0] } : {}) }
  const text = what === "close" ? (rest[0] === null ? "without a code" : `code ${rest[0]}`) : String(rest[0] ?? "")
  return {
    kind: "status",
    topic: "",
    name: what === "status" ? "connection" : `connection ${what}`,
    text,
    detail,
    bytes,
    recorded,
  }
}

/** A large payload is not written out for one line. */
const textOf = (payload: unknown, bytes: number): string =>
  bytes > 4096
    ? Object.keys(Object(payload) as object)
        .slice(0, 5)
        .join(", ")
    : short(JSON.stringify(payload) ?? "")

/** Returns the entry of changes of users. */
export function changeEntry(topic: string, changes: readonly Change[], cause: Cause): New {
  const named = changes.slice(0, MAX_NAMED).map((change) => ({
    type: change.type,
    key: change.key,
    ...(change.type === "update" && {
      fields: change.fields,
      ...(change.added.length && { added: change.added.map(({ phx_ref: ref }) => ref) }),
      ...(change.removed.length && { removed: change.removed.map(({ phx_ref: ref }) => ref) }),
    }),
  }))
  const more = changes.length - named.length
  const list = named.map(
    ({ type, key, fields }) => `${SIGNS[type]}${key}${fields?.length ? ` (${fields.join(", ")})` : ""}`,
  )
  const text = short(list.join("  ") || "nobody is here")
  const detail = { topic, cause, changes: more ? [...named, `and ${more} more`] : named }
  const bytes = ENTRY_BYTES + named.reduce((sum, { key, fields }) => sum + 4 * (key.length + String(fields).length), 0)
  return { kind: "change", topic, name: cause, text, detail, bytes }
}

const SIGNS = { join: "+", update: "~", leave: "−", remove: "×" }

export const statusEntry = (topic: string, text: string, detail: unknown = text): New => ({
  kind: "status",
  topic,
  name: topic ? "room" : "connection",
  text,
  detail,
  bytes: ENTRY_BYTES + text.length,
})

export const droppedEntry = (direction: "in" | "out", topic: string, event: string): New => ({
  kind: "dropped",
  topic,
  name: event,
  text: direction === "in" ? "from the server" : "to the server",
  detail: { dropped: direction, topic, event },
  bytes: ENTRY_BYTES + topic.length + event.length,
})
