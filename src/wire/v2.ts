import { RollcallError, kindOf } from "../error.ts"
import { REPLY as REPLY_EVENT } from "./events.ts"
import { decodeText, parseJson } from "./strict-json.ts"
import type { Message, Serializer } from "./message.ts"
import type { Payload } from "./payload.ts"

const PUSH = 0
const REPLY = 1
const BROADCAST = 2

const utf8 = new TextEncoder()

/** Version 2: JSON arrays `[join_ref, ref, topic, event, payload]`, and binary frames (P6–P8). */
export const v2: Serializer = {
  vsn: "2.0.0",

  decode: (data) => (typeof data === "string" ? decodeArray(data) : decodeBinary(data)),

  push(joinRef, topic, event, payload) {
    const { binary } = payload
    if (binary !== undefined) return encodeBinary(PUSH, [name(joinRef), topic, event], binary)
    return encodeArray(joinRef, null, topic, event, objectJson(payload))
  },

  around: (joinRef, topic, event) => [arrayStart(joinRef, null, topic, event), "]"],

  reply(joinRef, ref, topic, status, response) {
    const { binary } = response
    if (binary !== undefined) return encodeBinary(REPLY, [name(joinRef), name(ref), name(topic), status], binary)
    return encodeArray(joinRef, ref, topic, REPLY_EVENT, `{"response":${response.json},"status":${json(status)}}`)
  },

  broadcast(topic, event, payload) {
    const { binary } = payload
    if (binary !== undefined) return encodeBinary(BROADCAST, [topic, event], binary)
    return encodeArray(null, null, topic, event, objectJson(payload))
  },

  end: (joinRef, topic, event, payload) => encodeArray(joinRef, joinRef, topic, event, payload.json),
}

/** Pushes and broadcasts carry objects; only a reply may carry any JSON value. */
function objectJson({ json }: Payload): string {
  if (json.startsWith("{")) return json
  throw new RollcallError("bad_payload", "expected a payload that is an object or bytes, got another JSON value")
}

function encodeArray(joinRef: unknown, ref: unknown, topic: unknown, event: string, payloadJson: string): string {
  return `${arrayStart(joinRef, ref, topic, event)}${payloadJson}]`
}

function arrayStart(joinRef: unknown, ref: unknown, topic: unknown, event: string): string {
  return `[${json(joinRef)},${json(ref)},${json(topic)},${json(event)},`
}

/** Matches text that needs no escaping in JSON, as nearly all references, topics and events do not. */
const PLAIN = /^[\w:.@-]*$/

/**
 * Writes a value as JSON. Each message has four such values; adding the quotes here saves a third of the time of a
 * small reply.
 */
function json(value: unknown): string {
  if (typeof value === "string" && value.length < 64 && PLAIN.test(value)) return `"${value}"`
  return JSON.stringify(value) ?? "null"
}

function decodeArray(data: string): Message {
  const parts = parseJson(data)
  if (!Array.isArray(parts) || parts.length < 5) {
    throw new RollcallError("bad_frame", `expected [join_ref, ref, topic, event, payload], got ${kindOf(parts)}`)
  }
  const [joinRef, ref, topic, event, payload] = parts as unknown[]
  return { joinRef, ref, topic, event, payload }
}

/** Decodes a client's binary frame: the kind `0`, four sizes of one byte each, four names, and the data. */
function decodeBinary(data: Uint8Array): Message {
  if (data[0] !== PUSH) throw new RollcallError("bad_frame", `expected a binary push (kind 0), got kind ${data[0]}`)
  const sizes = data.subarray(1, 5)
  const length = 5 + sizes.reduce((sum, size) => sum + size, 0)
  if (sizes.length < 4 || data.length < length) {
    throw new RollcallError(
      "bad_frame",
      `expected at least ${length} bytes, the sum of the sizes in the frame, got ${data.length}`,
    )
  }
  let offset = 5
  const [joinRef, ref, topic, event] = Array.from(sizes, (size) => {
    offset += size
    return decodeText(data.subarray(offset - size, offset))
  })
  return { joinRef, ref, topic, event, payload: new Uint8Array(data.subarray(length)) }
}

/**
 * Returns a value as a name in a binary frame. `null` is the empty name, and a reference that is not a string is its
 * JSON.
 */
function name(value: unknown): string {
  if (value === null || value === undefined) return ""
  return typeof value === "string" ? value : JSON.stringify(value)
}

function encodeBinary(kind: number, names: string[], body: Uint8Array): Uint8Array {
  const encoded = names.map((name) => utf8.encode(name))
  const head = 1 + encoded.length
  const length = encoded.reduce((sum, bytes) => sum + bytes.length, head)
  const out = new Uint8Array(length + body.length)
  out[0] = kind
  let offset = head
  for (const [index, bytes] of encoded.entries()) {
    if (bytes.length > 255) {
      throw new RollcallError(
        "name_too_long",
        `expected names of at most 255 bytes in a binary frame, got ${bytes.length}`,
      )
    }
    out[1 + index] = bytes.length
    out.set(bytes, offset)
    offset += bytes.length
  }
  out.set(body, offset)
  return out
}
