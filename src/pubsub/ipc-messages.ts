/**
 * What a worker and its primary say to each other: a list of the tag, the worker's node by number (a process may hold
 * several), a word, and what belongs to it.
 *
 * Payloads are bytes where the channel was opened with `serialization: "advanced"`. The default, JSON, would write
 * them as an object with a property for each byte; there they travel as base64 strings.
 */
export type Payload = Uint8Array | string

export type FromWorker =
  | readonly [word: "hello", namespace: string, node: string, probe: unknown]
  | readonly [word: "listen" | "unlisten", topic: string]
  | readonly [word: "publish", topic: string, payload: Payload]
  | readonly [word: "send", node: string, topic: string, payload: Payload]
  | readonly [word: "bye"]

export type FromPrimary =
  | readonly [word: "welcome", binary: boolean]
  | readonly [word: "taken"]
  | readonly [word: "listening", topic: string]
  | readonly [word: "message", from: string, topic: string, payload: Payload]
  | readonly [word: "down", node: string]

const TAG = "rollcall"
const VERSION = 1

export type Post = readonly [tag: typeof TAG, version: number, id: number, ...said: unknown[]]

/** Addresses what is said from, or to, the node of that number. */
export function envelop(id: number, said: FromWorker | FromPrimary): Post {
  return [TAG, VERSION, id, ...said]
}

/**
 * What an IPC message says, and of which node; `undefined` for one that is not ours, since a process may use its
 * channel for other things as well. One of ours that cannot be read is named by the reason to drop it.
 */
export function read(
  message: unknown,
): { readonly id: number; readonly said: readonly unknown[] } | "version" | "garbage" | undefined {
  if (!Array.isArray(message) || message[0] !== TAG) return undefined
  if (message[1] !== VERSION) return "version"
  const [, , id, ...said] = message as unknown[]
  return typeof id === "number" ? { id, said } : "garbage"
}

/** A payload as the channel can carry it. */
export function pack(bytes: Uint8Array, binary: boolean): Payload {
  return binary ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")
}

/** A payload's bytes, or `undefined` if it is none. */
export function unpack(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload
  return typeof payload === "string" ? Buffer.from(payload, "base64") : undefined
}

/** A payload as the next channel can carry it, untouched where both are of one kind; `undefined` if it is none. */
export function repack(payload: unknown, binary: boolean): Payload | undefined {
  if (binary ? payload instanceof Uint8Array : typeof payload === "string") return payload as Payload
  const bytes = unpack(payload)
  return bytes === undefined ? undefined : pack(bytes, binary)
}
