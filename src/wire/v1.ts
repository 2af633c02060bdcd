import { RollcallError, kindOf } from "../error.ts"
import { REPLY } from "./events.ts"
import { decodeText, parseJson } from "./strict-json.ts"
import type { Message, Serializer } from "./message.ts"
import type { Payload } from "./payload.ts"

/**
 * Version 1: JSON objects `{topic, event, payload, ref}`. Messages to clients have no `join_ref`, and payloads cannot
 * be binary (P6).
 */
export const v1: Serializer = {
  vsn: "1.0.0",

  decode(data): Message {
    // This version has no binary messages, so a binary frame is read as JSON text.
    const parts = parseJson(typeof data === "string" ? data : decodeText(data))
    if (typeof parts !== "object" || parts === null) throw malformed(kindOf(parts))
    const missing = REQUIRED.find((key) => !Object.hasOwn(parts, key))
    if (missing !== undefined) throw malformed(`${kindOf(parts)} without ${missing}`)
    const { topic, event, payload, ref, join_ref: joinRef = null } = parts as Record<string, unknown>
    return { joinRef, ref, topic, event, payload }
  },

  push: (_joinRef, topic, event, payload) => encode(null, topic, event, payload),

  around: (_joinRef, topic, event) => envelope(null, topic, event),

  reply(_joinRef, ref, topic, status, response) {
    if (response.binary !== undefined) return undefined
    const [before, after] = envelope(ref, topic, REPLY)
    return `${before}{"response":${response.json},"status":${JSON.stringify(status)}}${after}`
  },

  broadcast: (topic, event, payload) => encode(null, topic, event, payload),

  end: (joinRef, topic, event, payload) => encode(joinRef, topic, event, payload) as string,
}

function malformed(got: string): RollcallError {
  return new RollcallError("bad_frame", `expected a JSON object with topic, event, payload and ref, got ${got}`)
}

const REQUIRED = ["topic", "event", "payload", "ref"]

function encode(ref: unknown, topic: unknown, event: string, payload: Payload): string | undefined {
  if (payload.binary !== undefined) return undefined
  const [before, after] = envelope(ref, topic, event)
  return before + payload.json + after
}

function envelope(ref: unknown, topic: unknown, event: string): readonly [before: string, after: string] {
  const [refJson, topicJson] = [ref, topic].map((part) => JSON.stringify(part) ?? "null")
  return [`{"event":${JSON.stringify(event)},"payload":`, `,"ref":${refJson},"topic":${topicJson}}`]
}
