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
const HEAD = 4

const utf8 = new TextEncoder()
// A name may begin with a byte order mark, which is part of it.
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Encodes a broadcast for the clients of other nodes. The topic is not in it: it is the bus topic that it is published on.
 * @throws ConfigError when the event has more than 65,535 bytes
 */
export function encodeBroadcast(event: string, payload: Payload): Uint8Array {
  const { binary } = payload
  if (binary !== undefined) return encode(BINARY_BROADCAST, nameBytes("event", event), binary)
  return encode(JSON_BROADCAST, nameBytes("event", event), utf8.encode(payload.json))
}

/**
 * Encodes the request to close all connections of an id.
 * @throws ConfigError when the id has more than 65,535 bytes
 */
export function encodeDisconnect(id: string): Uint8Array {
  return encode(DISCONNECT, nameBytes("id", id), new Uint8Array())
}

/**
 * Decodes a message from another node.
 *
 * The JSON of a broadcast is not parsed: only `out` handlers need its value, and parsing every broadcast for them would
 * cost each node as much as sending it. This trusts the sender, which is a node of the same cluster and the same message
 * version, and wrote the JSON by `JSON.stringify`. What cannot be trusted is that the text is whole, so its two ends are
 * checked. Text that is malformed elsewhere is refused later, by the first `out` handler that asks for its value.
 *
 * @throws RollcallError `bad_message` for any other version or kind, and for a broadcast that is not JSON by its ends
 */
export function decodeMessage(bytes: Uint8Array): ClusterMessage {
  if (bytes[0] !== VERSION) throw bad(`expected version ${VERSION}, got ${bytes[0]}`)
  const nameEnd = HEAD + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0)
  if (bytes.length < nameEnd) throw bad(`expected at least ${nameEnd} bytes, got ${bytes.length}`)
  const name = decodeText(bytes.subarray(HEAD, nameEnd))
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
  const bytes = new Uint8Array(HEAD + name.length + rest.length)
  bytes.set([VERSION, kind, name.length >> 8, name.length & 255])
  bytes.set(name, HEAD)
  bytes.set(rest, HEAD + name.length)
  return bytes
}

function decodeText(bytes: Uint8Array): string {
  try {
    return text.decode(bytes)
  } catch (cause) {
    throw new RollcallError("bad_message", "expected UTF-8, got other bytes", { cause })
  }
}

/** The bracket or quote that closes JSON, by the one that opens it. */
const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]", '"': '"' }

/** A payload from JSON that is whole, at least; a number, `true`, `false` or `null` is so short that it is parsed. */
function jsonPayload(json: string): Payload {
  const payload = Payload.fromJson(json)
  const closing = CLOSING[json.charAt(0)]
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
