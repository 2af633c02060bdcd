import { createHash } from "node:crypto"

/** The engine's names for topics and nodes: valid as Redis channels, and as NATS subjects of two tokens. */
export interface SubjectNames {
  topic(topic: string): string
  node(node: string): string
}

/** Longer tokens are replaced by their hash: a NATS subject must fit into a protocol line of 4 KiB. */
const MAX_LENGTH = 200

/** Returns the names of one namespace. */
export function subjectNames(namespace: string): SubjectNames {
  const prefix = `rollcall-${token(namespace)}`
  return {
    topic: (topic) => `${prefix}.t-${token(topic)}`,
    node: (node) => `${prefix}.n-${token(node)}`,
  }
}

/**
 * Encodes any string as one token; different strings give different tokens.
 *
 * Letters, digits, `_`, `-` and `:` stay as they are. Any other UTF-16 unit becomes `%` and four hex digits.
 * A hash begins with `#`; no other token does.
 */
function token(text: string): string {
  const escaped = /^[\w:-]*$/.test(text)
    ? text
    : text.replaceAll(/[^\w:-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
  if (escaped.length <= MAX_LENGTH) return escaped
  return `#${createHash("sha256").update(Buffer.from(text, "utf16le")).digest("base64url")}`
}
