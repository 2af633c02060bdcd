import { ConfigError, RollcallError } from "../../error.ts"
import type { Body } from "../../wire/message.ts"

/**
 * What servers tell each other over the bus. A message is: one byte for the version, one for the kind, two for the
 * length of the name, the name in UTF-8, and the rest: a body as it goes to clients, so that nobody encodes it again.
 */
export type ClusterMessage =
  | { readonly kind: "broadcast"; readonly event: string; readonly body: Body; readonly payload: unknown }
  | { readonly kind: "disconnect"; readonly id: string }

const VERSION = 1
const JSON_BROADCAST = 1
const BINARY_BROADCAST = 2
const DISCONNECT = 3
const HEAD = 4

const utf8 = new TextEncoder()
const text = new TextDecoder("utf-8", { fatal: true })

/**
 * A broadcast for the clients of other nodes; its topic is the bus topic that it goes out on.
 * @throws ConfigError when the event is longer than a message can say
 */
export function encodeBroadcast(event: string, body: Body): Uint8Array {
  const isText = typeof body === "string"
  return encode(isText ? JSON_BROADCAST : BINARY_BROADCAST, nameOf("event", event), isText ? utf8.encode(body) : body)
}

/**
 * The end of all connections of an id, wherever they are.
 * @throws ConfigError when the id is longer than a message can say
 */
export function encodeDisconnect(id: string): Uint8Array {
  return encode(DISCONNECT, nameOf("id", id), new Uint8Array())
}

/** @throws RollcallError `bad_message`: what comes over the bus is checked before it reaches a client */
export function decodeMessage(bytes: Uint8Array): ClusterMessage {
  if (bytes[0] !== VERSION) throw bad(`expected version ${VERSION}, got ${bytes[0]}`)
  const nameEnd = HEAD + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0)
  if (bytes.length < nameEnd) throw bad(`expected at least ${nameEnd} bytes, got ${bytes.length}`)
  const name = decodeText(bytes.subarray(HEAD, nameEnd))
  const rest = bytes.subarray(nameEnd)
  switch (bytes[1]) {
    case JSON_BROADCAST: {
      const body = decodeText(rest)
      return { kind: "broadcast", event: name, body, payload: parse(body) }
    }
    case BINARY_BROADCAST: {
      const body = rest.slice()
      return { kind: "broadcast", event: name, body, payload: body }
    }
    case DISCONNECT:
      return { kind: "disconnect", id: name }
    default:
      throw bad(`expected a known kind, got ${bytes[1]}`)
  }
}

function nameOf(what: string, name: string): Uint8Array {
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

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // Without its cause, which quotes the body.
    throw bad("expected a body that is JSON, got other text")
  }
}

const bad = (message: string): RollcallError => new RollcallError("bad_message", message)
