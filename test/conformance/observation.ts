import type { Seen } from "../support/wire-socket.ts"

/**
 * A received item, with only the properties that a client can observe. Recordings and our runs are converted to this
 * form.
 */
export type Observation =
  | { readonly kind: "message"; readonly message: unknown }
  | { readonly kind: "binary"; readonly bytes: number; readonly hex: string }
  | { readonly kind: "event"; readonly event: string; readonly [detail: string]: unknown }
  | { readonly kind: "http"; readonly status: number; readonly headers: unknown; readonly body: unknown }

/** The number of bytes that are kept of a long binary frame, beside its size, as in the recordings. */
const HEAD = 60

/** The headers that are compared, because they belong to the protocol. The others depend on the HTTP server. */
const HEADERS = [
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-max-age",
  "cache-control",
  "content-type",
  "sec-websocket-accept",
  "sec-websocket-protocol",
  "upgrade",
]

/** An HTTP answer. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export function observationOf(seen: Seen): Observation {
  if (typeof seen === "string") return { kind: "message", message: JSON.parse(seen) }
  if (Buffer.isBuffer(seen)) return { kind: "binary", bytes: seen.length, hex: seen.subarray(0, HEAD).toString("hex") }
  return { kind: "event", ...seen }
}

export function observationOfAnswer({ status, headers, body }: Answer): Observation {
  const shown = HEADERS.filter((name) => headers[name] !== undefined).map((name) => [name, headers[name]])
  return { kind: "http", status, headers: Object.fromEntries(shown), body: bodyOf(body) }
}

/** Returns the observation of a raw HTTP answer with its head and body. */
export function observationOfRaw(raw: string): Observation {
  const [head = "", body = ""] = raw.split("\r\n\r\n", 2)
  const [first = "", ...lines] = head.split("\r\n")
  const headers = lines.map((line) => [line.split(": ", 1)[0]?.toLowerCase(), line.slice(line.indexOf(": ") + 2)])
  return observationOfAnswer({ status: Number(first.split(" ")[1]), headers: Object.fromEntries(headers), body })
}

/** Returns the observation of a recorded `in` entry. */
export function observationOfRecorded(frame: unknown): Observation {
  if (typeof frame === "string") return { kind: "message", message: JSON.parse(frame) }
  const fields = frame as Record<string, unknown>
  if (typeof fields["raw"] === "string") return observationOfRaw(fields["raw"])
  const { event } = fields
  if (event === "pong") return { kind: "event", event, hex: fields["hex"] }
  if (event === "http-refused") return { kind: "event", event, status: fields["status"], body: fields["body"] }
  if (typeof event === "string") return { kind: "event", ...fields, event }
  if (typeof fields["hex"] === "string") {
    const bytes = Buffer.from(fields["hex"], "hex")
    return { kind: "binary", bytes: bytes.length, hex: bytes.subarray(0, HEAD).toString("hex") }
  }
  if (typeof fields["head_hex"] === "string") {
    return { kind: "binary", bytes: fields["bytes"] as number, hex: fields["head_hex"] }
  }
  return observationOfAnswer(frame as Answer)
}

/** A long-poll answer is JSON that contains messages, which are JSON themselves. */
function bodyOf(body: string): unknown {
  if (!body.startsWith("{")) return body
  const fields = JSON.parse(body) as { messages?: string[] }
  return fields.messages === undefined
    ? fields
    : { ...fields, messages: fields.messages.map((message) => JSON.parse(message) as unknown) }
}

/** Returns the protocol messages in a received item: one of a WebSocket, any number of a long poll. */
export function messagesOf(observation: Observation): unknown[] {
  if (observation.kind === "message") return [observation.message]
  if (observation.kind !== "http") return []
  return (observation.body as { messages?: unknown[] } | null)?.messages ?? []
}
