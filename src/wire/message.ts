import type { EndEvent } from "./events.ts"
import type { Payload } from "./payload.ts"

/**
 * One decoded frame from a client. Clients are not trusted, and the decoder checks only that all parts are present, so the
 * parts have the type `unknown`. References are echoed unchanged, whatever their JSON type.
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

/** The content of a WebSocket frame: text, or binary. */
export type Data = string | Uint8Array

/**
 * One version of the protocol: encodes and decodes messages, including their payloads (P6–P8).
 *
 * The encoders return `undefined` for a payload that the version has no form for: version 1 has no binary frames. They must
 * encode all JSON, which may be nested 1,000 levels deep, because clients decide what a meta or a reply contains. If a
 * presence diff cannot be encoded for a client, its channel ends with `phx_error`; if a reply cannot, its connection may end.
 */
export interface Serializer {
  /**
   * The version, which clients name in `vsn`. If it is a semantic version such as "2.0.0", every `2.0.x` is accepted.
   */
  readonly vsn: string
  /**
   * Decodes one frame of a client.
   * @throws RollcallError `bad_frame`, whose message names what was expected and what came
   */
  decode(data: Data): Message
  /**
   * Encodes an event for one client.
   * @throws RollcallError `bad_payload` for a payload that the version does not allow
   */
  push(joinRef: unknown, topic: string, event: string, payload: Payload): Data | undefined
  /**
   * Returns the text before and after the JSON of a push's payload, so that a large JSON is not copied for each client.
   * Optional, and only for serializers that write text. Without it, `push` encodes every push in full.
   */
  around?(joinRef: unknown, topic: string, event: string): readonly [before: string, after: string]
  /** Encodes the reply to the message that carried `ref`. `topic` is echoed unchanged. */
  reply(joinRef: unknown, ref: unknown, topic: unknown, status: string, response: Payload): Data | undefined
  /** Encodes an event for all clients of a topic, which all get the same bytes. @throws as `push` */
  broadcast(topic: string, event: string, payload: Payload): Data | undefined
  /**
   * Encodes the end of a channel, `phx_close` or `phx_error`. Its `ref` is the join's reference, as its `join_ref` is.
   */
  end(joinRef: unknown, topic: string, event: EndEvent, payload: Payload): Data
}
