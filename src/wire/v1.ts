import { RollcallError, kindOf } from "../error.ts"
import { REPLY } from "./events.ts"
import { decodeText, parseJson } from "./json.ts"
import type { Body, Message, Serializer } from "./message.ts"

/**
 * Version 1: JSON objects `{topic, event, payload, ref}`, no `join_ref` on the way out, no binary payloads (P6).
 */
export const v1: Serializer = {
  vsn: "1.0.0",

  decode(data): Message {
    // Whether a frame is text or binary makes no difference here: it is JSON, or it is refused.
    const parts = parseJson(typeof data === "string" ? data : decodeText(data))
    if (typeof parts !== "object" || parts === null) throw malformed(kindOf(parts))
    const missing = REQUIRED.find((key) => !Object.hasOwn(parts, key))
    if (missing !== undefined) throw malformed(`${kindOf(parts)} without ${missing}`)
    const { topic, event, payload, ref, join_ref: joinRef = null } = parts as Record<string, unknown>
    return { joinRef, ref, topic, event, payload }
  },

  push: (_joinRef, topic, event, body) => frame(null, topic, event, body),

  around: (_joinRef, topic, event) => around(null, topic, event),

  reply(_joinRef, ref, topic, status, body) {
    if (typeof body !== "string") return undefined
    return frame(ref, topic, REPLY, `{"response":${body},"status":${JSON.stringify(status)}}`)
  },

  broadcast: (topic, event, body) => frame(null, topic, event, body),

  end: (joinRef, topic, event, body) => frame(joinRef, topic, event, body) as string,
}

function malformed(came: string): RollcallError {
  return new RollcallError("bad_frame", `expected a JSON object with topic, event, payload and ref, got ${came}`)
}

const REQUIRED = ["topic", "event", "payload", "ref"]

function frame(ref: unknown, topic: unknown, event: string, body: Body): string | undefined {
  if (typeof body !== "string") return undefined
  const [before, after] = around(ref, topic, event)
  return before + body + after
}

function around(ref: unknown, topic: unknown, event: string): readonly [before: string, after: string] {
  const [refJson, topicJson] = [ref, topic].map((part) => JSON.stringify(part) ?? "null")
  return [`{"event":${JSON.stringify(event)},"payload":`, `,"ref":${refJson},"topic":${topicJson}}`]
}
