import { createHash } from "node:crypto"

/** The engine's names for a topic and for a node: safe as a Redis channel and as a NATS subject of two tokens. */
export interface SubjectNames {
  topic(topic: string): string
  node(node: string): string
}

/** Longer ones go by their hash: a NATS subject has to fit into the 4 KiB of a protocol line. */
const MAX_LENGTH = 200

/** The subjectNames of one namespace. */
export function subjectNames(namespace: string): SubjectNames {
  const prefix = `rollcall-${token(namespace)}`
  return {
    topic: (topic) => `${prefix}.t-${token(topic)}`,
    node: (node) => `${prefix}.n-${token(node)}`,
  }
}

/**
 * Any string as one token, different strings as different tokens: letters, digits, `_`, `-` and `:` stand for
 * themselves, any other UTF-16 unit is `%` and four hex digits. A hash is marked by `#`, which no other token has.
 */
function token(text: string): string {
  const escaped = /^[\w:-]*$/.test(text)
    ? text
    : text.replaceAll(/[^\w:-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
  if (escaped.length <= MAX_LENGTH) return escaped
  return `#${createHash("sha256").update(Buffer.from(text, "utf16le")).digest("base64url")}`
}
