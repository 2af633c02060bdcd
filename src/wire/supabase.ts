import { RollcallError } from "../error.ts"
import { isObject } from "../json.ts"
import type { Message, Serializer } from "./message.ts"
import type { Payload } from "./payload.ts"
import { decodeText, parseJson } from "./strict-json.ts"
import { v2 } from "./v2.ts"

/** The event of all broadcasts of Supabase's clients. Its payload is `{ type: "broadcast", event, payload }`. */
export const BROADCAST = "broadcast"

/** The kind of a binary frame from a client that contains a broadcast. */
const USER_BROADCAST_PUSH = 3
/** The kind of a binary frame to a client that contains a broadcast. */
const USER_BROADCAST = 4
/** How the payload in such a frame is encoded. */
const [BYTES, JSON_TEXT] = [0, 1] as const

const utf8 = new TextEncoder()
const latin1 = new TextDecoder("latin1")

/**
 * Version 2 in the dialect of Supabase Realtime: its clients send and receive broadcasts as binary frames of two kinds that
 * Phoenix does not have. All other messages are as in Phoenix.
 */
export const supabaseV2: Serializer = {
  ...v2,

  decode(data) {
    const isPush = typeof data !== "string" && data[0] === USER_BROADCAST_PUSH
    return isPush ? decodeUserBroadcast(data) : v2.decode(data)
  },

  broadcast(topic, event, payload) {
    const frame = event === BROADCAST ? userBroadcastOf(topic, payload) : undefined
    return frame ?? v2.broadcast(topic, event, payload)
  },
}

/**
 * Decodes a frame: the kind, six bytes (the sizes of five names, and the encoding), the names, and the user's payload. The names
 * are join reference, reference, topic, event and metadata. The metadata is not used.
 */
function decodeUserBroadcast(data: Uint8Array): Message {
  const [sizes, encoding] = [data.subarray(1, 6), data[6]]
  const length = 7 + sizes.reduce((sum, size) => sum + size, 0)
  if (encoding === undefined || data.length < length) {
    throw new RollcallError("bad_frame", `expected a broadcast of at least ${length} bytes, got ${data.length}`)
  }
  let offset = 7
  const [joinRef, ref, topic, event] = Array.from(sizes, (size) => {
    offset += size
    return decodeName(data.subarray(offset - size, offset))
  })
  const body = data.slice(length)
  const payload = encoding === BYTES ? body : parseJson(decodeText(body))
  return {
    joinRef: joinRef || null,
    ref: ref || null,
    topic,
    event: BROADCAST,
    payload: { type: BROADCAST, event, payload },
  }
}

/** Supabase's clients write each character of a name as one byte, so `é` is not UTF-8. */
function decodeName(bytes: Uint8Array): string {
  try {
    return decodeText(bytes)
  } catch {
    return latin1.decode(bytes)
  }
}

/**
 * Returns the frame for a broadcast, or `undefined` for a payload that Supabase's server sends as text: one of another form, or
 * with a name of more than 255 bytes.
 */
function userBroadcastOf(topic: string, payload: Payload): Uint8Array | undefined {
  if (payload.binary !== undefined) return isUserBroadcast(topic, payload.binary) ? payload.binary : undefined
  const { value } = payload
  if (!isObject(value)) return undefined
  const { type, event, payload: body, ...others } = value
  if (type !== BROADCAST || typeof event !== "string" || Object.keys(others).length > 0) return undefined
  return encodeUserBroadcast(topic, event, JSON_TEXT, utf8.encode(JSON.stringify(body) ?? "{}"))
}

/**
 * Returns a broadcast whose payload is bytes, as the whole frame for the clients. In this form, it can be the binary payload of a
 * broadcast, also between nodes.
 */
export function binaryBroadcast(topic: string, event: string, body: Uint8Array): Uint8Array | undefined {
  return encodeUserBroadcast(topic, event, BYTES, body)
}

function encodeUserBroadcast(topic: string, event: string, encoding: number, body: Uint8Array): Uint8Array | undefined {
  const [topicBytes, eventBytes] = [utf8.encode(topic), utf8.encode(event)]
  if (topicBytes.length > 255 || eventBytes.length > 255) return undefined
  const head = [USER_BROADCAST, topicBytes.length, eventBytes.length, 0, encoding]
  const frame = new Uint8Array(head.length + topicBytes.length + eventBytes.length + body.length)
  frame.set(head)
  frame.set(topicBytes, head.length)
  frame.set(eventBytes, head.length + topicBytes.length)
  frame.set(body, head.length + topicBytes.length + eventBytes.length)
  return frame
}

/** Whether bytes are a frame made by `binaryBroadcast` for this topic. */
function isUserBroadcast(topic: string, bytes: Uint8Array): boolean {
  const topicBytes = utf8.encode(topic)
  if (bytes[0] !== USER_BROADCAST || bytes[1] !== topicBytes.length) return false
  return topicBytes.every((byte, index) => bytes[5 + index] === byte)
}
