import { ConfigError, RollcallError } from "../../error.ts"
import { Payload } from "../../wire/payload.ts"

/**
 * A message between nodes. On the bus it is: one byte for the version, one for the kind, two for the length of the name,
 * the name in UTF-8, and the rest: for a broadcast its payload, as bytes or as the JSON that clients get.
 */
export type ClusterMessage =
  | { readonly kind: "broadcast"; readonly event: string; readonly payload: Payload }
  | { readonly kind: "disconnect"; readonly id: string }

const VERSION = 1
const JSON_BROADCAST = 1
const BINARY_BROADCAST = 2
const DISCONNECT = 3
const HEADER_SIZE = 4

const utf8 = new TextEncoder()
// A name may begin with a byte order mark, which is part of it.
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Encodes a broadcast for the clients of other nodes. It does not contain the topic, which is part of the bus topic.
 * @throws ConfigError when the event has more than 65,535 bytes
 */
export function encodeBroadcast(event: string, payload: Payload): Uint8Array {
  const { binary } = payload
  if (binary !== undefined) return encode(BINARY_BROADCAST, nameBytes("event", event), binary)
  return encode(JSON_BROADCAST, nameBytes("event", event), utf8.encode(payload.json))
}

/**
 * Encodes the request to close all connections with a disconnect id.
 * @throws ConfigError when the id has more than 65,535 bytes
 */
export function encodeDisconnect(id: string): Uint8Array {
  return encode(DISCONNECT, nameBytes("id", id), new Uint8Array())
}

/**
 * Decodes a message from another node.
 *
 * The JSON of a broadcast is not parsed: only `out` handlers need its value, and to parse every broadcast for them would cost
 * each node as much as to send it. This trusts the sender, a node of the same cluster and the same message version, which
 * wrote the JSON with `JSON.stringify`. But the text may have been cut off, so its first and last characters are checked. Text
 * that is malformed in between is refused later, when the first `out` handler reads its value.
 *
 * @throws RollcallError `bad_message` for another version or kind, and for a broadcast whose first and last characters show
 * that it is not JSON
 */
export function decodeMessage(bytes: Uint8Array): ClusterMessage {
  if (bytes[0] !== VERSION) throw bad(`expected version ${VERSION}, got ${bytes[0]}`)
  const nameEnd = HEADER_SIZE + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0)
  if (bytes.length < nameEnd) throw bad(`expected at least ${nameEnd} bytes, got ${bytes.length}`)
  const name = decodeText(bytes.subarray(HEADER_SIZE, nameEnd))
  const rest = bytes.subarray(nameEnd)
  switch (bytes[1]) {
    case JSON_BROADCAST:
      return { kind: "broadcast", event: name, payload: jsonPayload(decodeText(rest)) }
    case BINARY_BROADCAST:
      return { kind: "broadcast", event: name, payload: Payload.of(rest.slice()) }
    case DISCONNECT:
      return { kind: "disconnect", id: name }
    default:
      throw bad(`expected a known kind, got ${bytes[1]}`)
  }
}

function nameBytes(what: string, name: string): Uint8Array {
  const bytes = utf8.encode(name)
  if (bytes.length <= 65_535) return bytes
  throw new ConfigError(`expected an ${what} of at most 65535 bytes, got ${bytes.length}`)
}

function encode(kind: number, name: Uint8Array, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE + name.length + rest.length)
  bytes.set([VERSION, kind, name.length >> 8, name.length & 255])
  bytes.set(name, HEADER_SIZE)
  bytes.set(rest, HEADER_SIZE + name.length)
  return bytes
}

function decodeText(bytes: Uint8Array): string {
  try {
    return text.decode(bytes)
  } catch (cause) {
    throw new RollcallError("bad_message", "expected UTF-8, got other bytes", { cause })
  }
}

/** The first character of a JSON text → its last one, for objects, arrays and strings. */
const LAST_BY_FIRST: Readonly<Record<string, string>> = { "{": "}", "[": "]", '"': '"' }

/**
 * Returns a payload from JSON, after a check of its first and last characters. Text that begins otherwise should be a number,
 * `true`, `false` or `null`, which are short: it is parsed.
 */
function jsonPayload(json: string): Payload {
  const payload = Payload.fromJson(json)
  const closing = LAST_BY_FIRST[json.charAt(0)]
  const isWhole = closing === undefined ? isJson(payload) : json.length > 1 && json.endsWith(closing)
  // The message does not quote the text: it is the application's data.
  if (!isWhole) throw bad(`expected a payload that is JSON, got ${json.length} characters of other text`)
  return payload
}

function isJson(payload: Payload): boolean {
  try {
    return payload.value !== undefined
  } catch {
    return false
  }
}

const bad = (message: string): RollcallError => new RollcallError("bad_message", message)
