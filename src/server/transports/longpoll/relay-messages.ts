import type { Data } from "../../../wire/message.ts"
import type { SessionStatus } from "./session.ts"

/** The id of the request that a message belongs to, and the id of the request's session. */
interface Reference {
  readonly request: string
  readonly session: string
}

/**
 * A message to the node on which a session lives.
 *
 * - `poll` and `post` forward a request of the session's client.
 * - `delivered`: the messages that answered a poll were sent to the client.
 * - `cancel`: the poll is over. If it was answered with messages, these were not sent to the client.
 * - `abandon`: the client was answered with 410, so the session must end.
 */
export type RelayedRequest = Reference &
  (
    | { readonly kind: "poll" | "delivered" | "cancel" | "abandon" }
    | { readonly kind: "post"; readonly messages: readonly Data[] }
  )

/** A message from that node: `acknowledge` confirms that a poll or a slow post has arrived; `answer` answers it. */
export type RelayedAnswer = Reference &
  (
    | { readonly kind: "acknowledge" }
    | { readonly kind: "answer"; readonly status: SessionStatus; readonly messages: readonly string[] }
  )

/** A message between two nodes: a session lives on one of them, and its client sends requests to the other one. */
export type RelayMessage = RelayedRequest | RelayedAnswer

/** Sends a message to another node. Never throws: a message that cannot be sent is lost, which any bus may do anyway. */
export type SendRelayMessage = (node: string, message: RelayMessage) => void

/** How long a node may take to acknowledge a request, in ms, as in Phoenix (P24). */
export const RELAY_TIMEOUT_MS = 2_000

const FORMAT = "longpoll"
const VERSION = 1
const MAX_ID_LENGTH = 64
const STATUSES: readonly unknown[] = [200, 204, 408, 410] satisfies SessionStatus[]

/** Kind → its word in the bytes between nodes. Nodes of different releases share a bus, so these words must not change. */
const WORDS: Readonly<Record<RelayMessage["kind"], string>> = {
  poll: "poll",
  post: "post",
  delivered: "taken",
  cancel: "cancel",
  abandon: "abandon",
  acknowledge: "here",
  answer: "answer",
}
const KINDS: ReadonlyMap<unknown, RelayMessage["kind"]> = new Map(
  Object.entries(WORDS).map(([kind, word]) => [word, kind as RelayMessage["kind"]]),
)

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * Encodes a message as JSON, in UTF-8: `["longpoll", version, word, request, session, …]`. `post` adds its messages, binary
 * ones as a list with their base64. `answer` adds its status and messages.
 */
export function encodeRelayMessage(message: RelayMessage): Uint8Array {
  const { kind, request, session } = message
  return encoder.encode(JSON.stringify([FORMAT, VERSION, WORDS[kind], request, session, ...bodyOf(message)]))
}

function bodyOf(message: RelayMessage): unknown[] {
  if (message.kind === "answer") return [message.status, message.messages]
  if (message.kind !== "post") return []
  return [message.messages.map((data) => (typeof data === "string" ? data : [Buffer.from(data).toString("base64")]))]
}

/** Decodes a message. Returns `undefined` for bytes that are no message, or a message of another version. Never throws. */
export function decodeRelayMessage(bytes: Uint8Array): RelayMessage | undefined {
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch {
    return undefined
  }
  if (!Array.isArray(json) || json[0] !== FORMAT || json[1] !== VERSION) return undefined
  const [, , word, request, session, first, second] = json as unknown[]
  if (!isId(request) || !isId(session)) return undefined
  const kind = KINDS.get(word)
  switch (kind) {
    case "post": {
      const messages = listOf(first, asData)
      return messages && { kind, request, session, messages }
    }
    case "answer": {
      const messages = listOf(second, asText)
      if (messages === undefined || !STATUSES.includes(first)) return undefined
      return { kind, request, session, status: first as SessionStatus, messages }
    }
    case undefined:
      return undefined
    default:
      return { kind, request, session }
  }
}

/** The length of ids is limited because they are kept in memory for a while. Our own ids have fewer than 30 characters. */
const isId = (value: unknown): value is string => typeof value === "string" && value.length <= MAX_ID_LENGTH

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
