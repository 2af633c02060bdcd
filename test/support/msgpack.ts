import { Decoder, decode, encode } from "@msgpack/msgpack"
import type { Data, Message, Payload, Serializer } from "../../src/server/index.ts"
import { RollcallError } from "../../src/server/index.ts"

// A serializer of an encoding that is not JSON, as an application would add it: frames are MessagePack arrays
// [join_ref, ref, topic, event, payload], and bytes are a payload like any other.

/** The library's own limit of 100 levels is less than what clients may send. */
const MAX_DEPTH = 1_010

/** The encoding function. A payload caches its result for each function, so that it is encoded once. */
const encodeValue = (value: unknown): Uint8Array => encode(value, { maxDepth: MAX_DEPTH })

export const msgpack: Serializer = {
  vsn: "3.0.0",

  decode(data): Message {
    const parts = typeof data === "string" ? undefined : decodeBytes(data)
    if (!Array.isArray(parts) || parts.length < 5) {
      throw new RollcallError("bad_frame", "expected a MessagePack array of five parts, got other data")
    }
    const [joinRef, ref, topic, event, payload] = parts as unknown[]
    return { joinRef, ref, topic, event, payload }
  },

  push: (joinRef, topic, event, payload) => frame([joinRef, null, topic, event], payload.encoded(encodeValue)),

  reply: (joinRef, ref, topic, status, response) =>
    frame([joinRef, ref, topic, "phx_reply"], replyBytes(status, response)),

  broadcast: (topic, event, payload) => frame([null, null, topic, event], payload.encoded(encodeValue)),

  end: (joinRef, topic, event, payload) => frame([joinRef, joinRef, topic, event], payload.encoded(encodeValue)),
}

/** The head of an array of five and of a map of two. */
const [ARRAY_OF_5, MAP_OF_2] = [0x95, 0x82]

/** Encoded payloads are spliced in, so that a large one is encoded once for all its clients. */
const frame = (head: readonly unknown[], payload: Uint8Array): Uint8Array =>
  joined([Uint8Array.of(ARRAY_OF_5), ...head.map(encodeValue), payload])

const replyBytes = (status: string, response: Payload): Uint8Array =>
  joined([Uint8Array.of(MAP_OF_2), encode("status"), encode(status), encode("response"), response.encoded(encodeValue)])

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

const decoder = new Decoder()

function decodeBytes(data: Uint8Array): unknown {
  try {
    return decoder.decode(data)
  } catch (cause) {
    throw new RollcallError("bad_frame", "expected MessagePack, got other bytes", { cause })
  }
}

interface PhoenixMessage {
  readonly join_ref: unknown
  readonly ref: unknown
  readonly topic: unknown
  readonly event: unknown
  readonly payload: unknown
}

/** The options that make phoenix.js speak it. */
export const msgpackClient = {
  vsn: msgpack.vsn,
  binaryType: "arraybuffer",
  encode({ join_ref, ref, topic, event, payload }: PhoenixMessage, callback: (data: Data) => void): void {
    callback(encode([join_ref ?? null, ref ?? null, topic, event, payload]))
  },
  decode(data: ArrayBuffer, callback: (message: PhoenixMessage) => void): void {
    const [join_ref, ref, topic, event, payload] = decode(new Uint8Array(data)) as unknown[]
    callback({ join_ref, ref, topic, event, payload })
  },
}
