/**
 * The messages between Rollcall's client and server that Phoenix's protocol does not have.
 *
 * The client adds the param `client=rollcall/1` to its connect query. A Phoenix server ignores it. Our server sends the messages
 * below only to a client that gave this param, so phoenix.js never gets one. Over long poll, it also answers such a client
 * differently in two cases:
 *
 * - `{ status: 403, refused }` instead of `{ status: 403 }`, with the reasons of `ServerInfo`
 * - `{ status: 410 }` to a request of a session that has ended, instead of opening a new session with the params of that request:
 *   they may contain the token for whose expiry the session ended. The client connects again, and asks for its params.
 */

/** The param of the connect query with which the client introduces itself. An application's own param of this name wins. */
export const CLIENT_PARAM = "client"
/** Its value. The number grows if an older server or client could misunderstand what is sent. */
export const CLIENT_NAME = "rollcall/1"

/** Returns whether a client with these params of its connect query has introduced itself, so that it understands what follows. */
export const isIntroduced = (params: Readonly<Record<string, string>>): boolean => params[CLIENT_PARAM] === CLIENT_NAME

/** The event of a message about the connection, on the topic `HEARTBEAT_TOPIC`: its payload is a `ServerInfo`. */
export const SERVER_INFO = "rollcall"

/** A message of the server about the client's connection. Receivers ignore fields that they do not know. */
export type ServerInfo = {
  /** Sent once, first, on an accepted connection. */
  readonly limits?: ServerLimits
  /**
   * Why the server refuses the connection: the application's reason, such as `signed out`, the code of an error, such as
   * `token_expired`, or `refused`. It closes the connection with `REFUSED` after this message. A foreign origin, an unknown
   * version and a full server are refused with an HTTP status instead.
   */
  readonly refused?: string
}

/** The limits that a client can keep to by itself. A missing one is unknown. */
export type ServerLimits = {
  /** The size of one message, in bytes. */
  readonly maxMessageBytes?: number
  /** Messages within a second. */
  readonly maxMessagesPerSecond?: number
}

/** The event with which the server names a channel's own presence: its payload is a `PresenceSelf`. */
export const PRESENCE_SELF = "presence_self"

/**
 * Under which key, and with which ref, the server has tracked the client of a channel: its first presence, if it has several. Sent
 * after the join's answer, before the first state or diff with that ref; and again when the ref changes.
 */
export type PresenceSelf = { readonly key: string; readonly phx_ref: string }

/**
 * The param of a join with which a client asks for counts in place of users: `true`, or the field by whose values to count. The
 * server then sends `PRESENCE_COUNT` in place of `presence_state`, and no `presence_diff`.
 *
 * A server that does not know it sends states and diffs. So does ours if the channel has an `out` handler for diffs, since a count
 * would tell what such a handler may hide.
 */
export const COUNT_PARAM = "presence_count"

/** The event with the number of users of a topic, when it has changed: its payload is a `PresenceCount`. */
export const PRESENCE_COUNT = "presence_count"

/**
 * How many users are in a topic. Receivers ignore fields that they do not know.
 *
 * `by` has the number of users for each value of the field, the most frequent ones first, at most `MAX_COUNTED_VALUES`. A user
 * counts by its oldest meta. Users without the field, and those with a rarer value, are in `total` only.
 */
export type PresenceCount = { readonly total: number; readonly by?: Readonly<Record<string, number>> }

/** How many values of a field are counted. */
export const MAX_COUNTED_VALUES = 100

/** The greatest number of characters of a counted field, and of a counted value. Others are in `total` only. */
const MAX_COUNTED_LENGTH = 64

/** Returns the text of a value that can be counted: a string that is not too long, a number or a boolean. */
export function countedValue(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  return typeof value === "string" && value.length <= MAX_COUNTED_LENGTH ? value : undefined
}

/** Returns the field by which a join's params ask to count; `""` for the total alone, and `undefined` if they ask for no count. */
export function countAsked(params: unknown): string | undefined {
  const { [COUNT_PARAM]: asked } = Object(params) as { [COUNT_PARAM]?: unknown }
  if (asked === undefined || asked === null || asked === false) return undefined
  return (typeof asked === "string" ? countedValue(asked) : undefined) ?? ""
}
