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
