/** The events of the protocol and of presence, by their names on the wire. */

/** Joins a topic. */
export const JOIN = "phx_join"
/** Leaves a topic. */
export const LEAVE = "phx_leave"
/** Answers a message: `{ status, response }`. */
export const REPLY = "phx_reply"
/** The channel has ended normally. */
export const CLOSE = "phx_close"
/** The channel has crashed. */
export const ERROR = "phx_error"
/** Keeps an idle connection open. Clients send it on the topic `HEARTBEAT_TOPIC`. */
export const HEARTBEAT = "heartbeat"
/** The topic of messages that concern the connection itself instead of a channel. */
export const HEARTBEAT_TOPIC = "phoenix"

/** All users of a topic: `PresenceState`. */
export const PRESENCE_STATE = "presence_state"
/** The users who joined and left a topic: `PresenceDiff`. */
export const PRESENCE_DIFF = "presence_diff"
/**
 * A client's change of its own meta: `{ meta }`. This is Rollcall's convention; in Phoenix, each application chooses
 * its own event.
 */
export const PRESENCE_UPDATE = "presence_update"

/** The field of a relayed event with the presence key of the client that sent it. Only the server sets it. */
export const SENDER = "from"

/** How a channel ends. */
export type EndEvent = typeof CLOSE | typeof ERROR
