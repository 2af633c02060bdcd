/**
 * The reasons for which a server refuses a join or an update, or ends a channel. A refusal has the form
 * `{ status: "error", response: { reason } }` on the wire.
 */

/** No channel serves this topic, or the topic is not joined. */
export const UNMATCHED_TOPIC = "unmatched topic"
/** The topic, or the reference of its join, is longer than `maxTopicLength`. */
export const TOPIC_TOO_LONG = "topic too long"
/** The connection already has `maxChannels` channels. */
export const TOO_MANY_CHANNELS = "too many channels joined"
/** The connection has joined `maxJoinsPerSecond` times within a second. */
export const TOO_MANY_JOINS = "too many joins"
/** The `join` handler threw, or did not return in time. */
export const JOIN_CRASHED = "join crashed"
/** The bus between the nodes did not confirm the topic in time. */
export const SUBSCRIBE_TIMEOUT = "subscribe timeout"
/** The bus between the nodes does not allow the topic. */
export const SUBSCRIBE_REFUSED = "subscribe refused"
/** The reason in a `phx_error`: a handler threw, or did not return in time. */
export const CHANNEL_CRASH = "channel_crash"
/** An update whose `meta` is not a JSON object. */
export const META_NOT_OBJECT = "meta must be an object"
/** An update of a field that the server does not let clients change. */
export const FIELD_NOT_ALLOWED = "field not allowed"
/** A meta that the schema of the room refuses: in the join as `me`, or after an update. With `message` and perhaps `field`. */
export const INVALID_META = "invalid_meta"
/** An event whose payload a schema refuses, with `message` and perhaps `field`; or one that cannot be relayed. */
export const INVALID_PAYLOAD = "invalid_payload"
/** An update from a channel that tracks no presence. */
export const NOT_TRACKED = "not tracked"

/** The reasons for which the server itself refuses a join. A channel's `join` handler chooses its own reasons. */
export type JoinRefusal =
  | typeof UNMATCHED_TOPIC
  | typeof TOPIC_TOO_LONG
  | typeof TOO_MANY_CHANNELS
  | typeof TOO_MANY_JOINS
  | typeof JOIN_CRASHED
  | typeof SUBSCRIBE_TIMEOUT
  | typeof SUBSCRIBE_REFUSED

/** The refusals that are temporary: the same join may be accepted a moment later. All others are final. */
export const TEMPORARY_REFUSALS: readonly JoinRefusal[] = [JOIN_CRASHED, SUBSCRIBE_TIMEOUT, TOO_MANY_JOINS]
