import type { Data } from "../../../wire/message.ts"
import type { SessionStatus } from "./session.ts"

/** Which request is spoken of, and which session it is about. */
interface About {
  readonly ask: string
  readonly session: string
}

/**
 * What is said to the node where a session lives. `poll` and `post` ask, as its client did. `taken` and `cancel` tell
 * what became of a poll: its answer has found the client, or nobody waits any more. `abandon` says that the client has
 * been told that the session is gone.
 */
export type RelayedRequest = About &
  (
    | { readonly kind: "poll" | "taken" | "cancel" | "abandon" }
    | { readonly kind: "post"; readonly messages: readonly Data[] }
  )

/** What that node says: `here`, a poll or a post has come and may take a while; `answer`. */
export type RelayedAnswer = About &
  (
    | { readonly kind: "here" }
    | { readonly kind: "answer"; readonly status: SessionStatus; readonly messages: readonly string[] }
  )

/** What nodes say to each other about a session that lives on one of them while its client is at another. */
export type RelayMessage = RelayedRequest | RelayedAnswer

/** Says something to another node. Never throws: what cannot be sent is lost, as on any bus. */
export type SendRelayMessage = (node: string, message: RelayMessage) => void

/** How long a node may take to be heard, as in Phoenix (P24), in ms. */
export const RELAY_TIMEOUT_MS = 2_000

const MARK = "longpoll"
const VERSION = 1
const MAX_NAME = 64
const STATUSES: readonly unknown[] = [200, 204, 408, 410] satisfies SessionStatus[]

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * A message as bytes: JSON, `["longpoll", version, kind, ask, session, …]`. The rest is, by kind: `post` the messages,
 * bytes as a list of their base64; `answer` status and messages; for all others nothing.
 */
export function encodeRelayMessage(message: RelayMessage): Uint8Array {
  const { kind, ask, session } = message
  return encoder.encode(JSON.stringify([MARK, VERSION, kind, ask, session, ...bodyOf(message)]))
}

function bodyOf(message: RelayMessage): unknown[] {
  if (message.kind === "answer") return [message.status, message.messages]
  if (message.kind !== "post") return []
  return [message.messages.map((data) => (typeof data === "string" ? data : [Buffer.from(data).toString("base64")]))]
}

/** Reads a message. Total: bytes that are none, or one of another version, are `undefined`. */
export function decodeRelayMessage(bytes: Uint8Array): RelayMessage | undefined {
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
  if (!Array.isArray(json) || json[0] !== MARK || json[1] !== VERSION) return undefined
  const [, , kind, ask, session, first, second] = json as unknown[]
  if (!isName(ask) || !isName(session)) return undefined
  switch (kind) {
    case "poll":
    case "taken":
    case "cancel":
    case "abandon":
    case "here":
      return { kind, ask, session }
    case "post": {
      const messages = listOf(first, asData)
      return messages && { kind, ask, session, messages }
    }
    case "answer": {
      const messages = listOf(second, asText)
      if (messages === undefined || !STATUSES.includes(first)) return undefined
      return { kind, ask, session, status: first as SessionStatus, messages }
    }
    default:
      return undefined
  }
}

/** Names are kept for a while; ours are short. */
const isName = (value: unknown): value is string => typeof value === "string" && value.length <= MAX_NAME

function listOf<Item>(value: unknown, read: (item: unknown) => Item | undefined): Item[] | undefined {
  if (!Array.isArray(value)) return undefined
  const items = value.map(read)
  return items.includes(undefined) ? undefined : (items as Item[])
}

const asText = (item: unknown): string | undefined => (typeof item === "string" ? item : undefined)

function asData(item: unknown): Data | undefined {
  if (!Array.isArray(item)) return asText(item)
  const [base64] = item as unknown[]
  return typeof base64 === "string" ? Buffer.from(base64, "base64") : undefined
}
