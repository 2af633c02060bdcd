import type { EndEvent } from "./events.ts"
import type { Payload } from "./payload.ts"

/**
 * One decoded frame from a client. A client is not trusted, so the types say only what the decoder has checked: that all
 * parts are there. References are echoed as they came, whatever their JSON type.
 */
export interface Message {
  /** The reference of the join that this message belongs to, or `null`. */
  readonly joinRef: unknown
  /** The reference that the reply must carry, or `null`. */
  readonly ref: unknown
  readonly topic: unknown
  readonly event: unknown
  /** Any JSON value, or bytes when the frame was binary. */
  readonly payload: unknown
}

/** A frame as it goes into a WebSocket: text, or binary. */
export type Data = string | Uint8Array

/**
 * One version of the protocol: how messages, payloads included, look on the wire (P6–P8).
 *
 * The encoders return `undefined` for a payload that the version cannot write: version 1 has no binary frames. They must
 * write all JSON, which may be nested 1,000 levels deep, as clients decide what a meta or a reply contains. A channel whose
 * client cannot be sent a presence diff ends with `phx_error`; a connection that cannot be sent a reply may end.
 */
export interface Serializer {
  /** The version that a client asks for with `vsn`. Of a semantic version such as "2.0.0", every `2.0.x` is accepted. */
  readonly vsn: string
  /** Decodes one frame of a client. @throws RollcallError `bad_frame`, with what was expected and what came */
  decode(data: Data): Message
  /** Encodes an event for one client. @throws RollcallError `bad_payload` for a payload that the version does not allow */
  push(joinRef: unknown, topic: string, event: string, payload: Payload): Data | undefined
  /**
   * Returns what a push has before and after its payload's JSON, so that a large JSON is not copied for each client. For
   * serializers that write text; left out, every push is encoded in full by `push`.
   */
  around?(joinRef: unknown, topic: string, event: string): readonly [before: string, after: string]
  /** Encodes the reply to the message that carried `ref`. `topic` is echoed as it came. */
  reply(joinRef: unknown, ref: unknown, topic: unknown, status: string, response: Payload): Data | undefined
  /** Encodes an event for every client of a topic: the same bytes for all of them. @throws as `push` */
  broadcast(topic: string, event: string, payload: Payload): Data | undefined
  /** Encodes the end of a channel, `phx_close` or `phx_error`. It carries the join's reference as its `ref`, too. */
  end(joinRef: unknown, topic: string, event: EndEvent, payload: Payload): Data
}
