import type { EndEvent } from "./events.ts"

/**
 * One frame, taken apart. What a client sent is not to be trusted, so the types say only what the decoder checked:
 * that the parts are there. References are echoed as they came, whatever their JSON type.
 */
export interface Message {
  /** The reference of the join that this message belongs to, or `null`. */
  readonly joinRef: unknown
  /** What the answer has to carry, or `null`. */
  readonly ref: unknown
  readonly topic: unknown
  readonly event: unknown
  /** Any JSON value, or bytes when the frame was a binary one. */
  readonly payload: unknown
}

/** A payload ready for an envelope: JSON text, or the bytes of a binary message. */
export type Body = string | Uint8Array

/** A frame as it goes into a WebSocket: text, or binary. */
export type Data = string | Uint8Array

/**
 * One version of the protocol: how messages look on the wire (P6–P8).
 *
 * The encoders answer `undefined` for what the version cannot say: version 1 has no binary frames.
 */
export interface Serializer {
  readonly vsn: "1.0.0" | "2.0.0"
  /** @throws RollcallError `bad_frame`, saying what was expected and what came */
  decode(data: Data): Message
  /** From the server to one client. @throws RollcallError `bad_payload` for a payload that the version cannot say */
  push(joinRef: unknown, topic: string, event: string, body: Body): Data | undefined
  /** What a push has before and after its JSON: for a body so large that it is not to be copied for each client. */
  around(joinRef: unknown, topic: string, event: string): readonly [before: string, after: string]
  /** The answer to the message that carried `ref`. `topic` is echoed as it came. */
  reply(joinRef: unknown, ref: unknown, topic: unknown, status: string, body: Body): Data | undefined
  /** From the server to every client of a topic: the same bytes for all of them. @throws as `push` */
  broadcast(topic: string, event: string, body: Body): Data | undefined
  /** `phx_close` or `phx_error`: the end of a channel, carrying its join's reference as `ref`, too. */
  end(joinRef: unknown, topic: string, event: EndEvent, body: Body): Data
}

/** The payload as the envelope takes it. @throws TypeError when it is no JSON value (a cycle, a BigInt) */
export function encodeBody(payload: unknown): Body {
  if (payload instanceof Uint8Array) return payload
  return JSON.stringify(payload) ?? "null"
}
