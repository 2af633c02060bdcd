/**
 * The messages between a worker process and its primary. Each is an array: a tag, the version, the number of the
 * worker's node (one process may hold several nodes), the kind of message, and its arguments.
 *
 * A payload is bytes where the IPC channel was opened with `serialization: "advanced"`. The default, JSON, would write
 * bytes as an object with one property per byte; there a payload is a base64 string.
 */
export type Payload = Uint8Array | string

/** A message from a worker. The probe of `hello` is a byte array: if it arrives as one, the channel carries bytes. */
export type WorkerMessage =
  | readonly [kind: "hello", namespace: string, node: string, probe: unknown]
  | readonly [kind: "listen" | "unlisten", topic: string]
  | readonly [kind: "publish", topic: string, payload: Payload]
  | readonly [kind: "send", node: string, topic: string, payload: Payload]
  | readonly [kind: "bye" | "ping"]

/**
 * A message from the primary. `taken` answers a `hello` whose node name is in use, `listening` confirms a `listen`, and `pong`
 * answers a `ping`.
 */
export type PrimaryMessage =
  | readonly [kind: "welcome", binary: boolean]
  | readonly [kind: "taken" | "pong"]
  | readonly [kind: "listening", topic: string]
  | readonly [kind: "message", from: string, topic: string, payload: Payload]
  | readonly [kind: "down", node: string]

const TAG = "rollcall"
const VERSION = 1

export type IpcMessage = readonly [tag: typeof TAG, version: number, id: number, ...message: unknown[]]

/** Encodes a message from, or to, the node with that number. */
export function encodeIpcMessage(id: number, message: WorkerMessage | PrimaryMessage): IpcMessage {
  return [TAG, VERSION, id, ...message]
}

/**
 * Decodes an IPC message into the node's number and the message.
 *
 * Returns `undefined` for a message of other software, since a process may use its channel for other things, too. Returns
 * the drop reason for a message of Rollcall that cannot be decoded.
 */
export function decodeIpcMessage(
  received: unknown,
): { readonly id: number; readonly message: readonly unknown[] } | "version" | "garbage" | undefined {
  if (!Array.isArray(received) || received[0] !== TAG) return undefined
  if (received[1] !== VERSION) return "version"
  const [, , id, ...message] = received as unknown[]
  return typeof id === "number" ? { id, message } : "garbage"
}

/** Encodes bytes as a payload for a channel that carries bytes (`binary`) or only JSON. */
export function encodePayload(bytes: Uint8Array, binary: boolean): Payload {
  return binary ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")
}

/** Returns a payload's bytes, or `undefined` for a value that is not a payload. */
export function decodePayload(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload
  return typeof payload === "string" ? Buffer.from(payload, "base64") : undefined
}

/** Converts a payload for another channel, if the two channels differ. Returns `undefined` if it is not a payload. */
export function convertPayload(payload: unknown, binary: boolean): Payload | undefined {
  if (binary ? payload instanceof Uint8Array : typeof payload === "string") return payload as Payload
  const bytes = decodePayload(payload)
  return bytes === undefined ? undefined : encodePayload(bytes, binary)
}
