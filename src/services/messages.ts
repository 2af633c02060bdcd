import { isObject } from "../json.ts"
import { MAX_MS } from "./cancellation.ts"

/**
 * The messages of calls between nodes, as JSON.
 *
 * oRPC has a protocol for message ports, and it works over this bus. But it numbers neither the items of a stream nor, for
 * all callers, its requests; it has no credit, no deadline and no refusal. All of that would have to be read from its texts
 * and wrapped around them, which is more code than these messages. So a call has oRPC's contract, errors and JSON, and these
 * messages.
 *
 * `n` is the number of a call of its caller, `q` the number of an item of a stream from 1 up.
 */
export type Message = ToInstance | ToCaller

/** The messages of a caller to the node of an instance. `from` is the port of the caller. */
export type ToInstance = CallMessage | AbortMessage | CreditMessage

export interface CallMessage {
  readonly kind: "call"
  readonly from: string
  readonly n: number
  /** The id of the instance. */
  readonly to: string
  readonly path: readonly string[]
  /** The time until the caller gives up, in ms. It is no point in time, since nodes have no common clock. */
  readonly ms: number
  /** How many items of a stream may be sent at first; missing for a cast, which is not answered. */
  readonly credit?: number
  readonly trace?: string
  readonly value?: unknown
  readonly types?: Types
}

/** The caller has given up, or has taken enough of a stream. */
export interface AbortMessage {
  readonly kind: "abort"
  readonly from: string
  readonly n: number
}

/**
 * All items up to `q` may be sent. It is repeated while a stream is open: it shows that the caller lives, and its answer
 * shows that the stream does, and how many items it has sent.
 */
export interface CreditMessage {
  readonly kind: "credit"
  readonly from: string
  readonly n: number
  readonly q: number
}

/** The messages of an instance to a caller. */
export type ToCaller =
  | { readonly kind: "value"; readonly n: number; readonly value?: unknown; readonly types?: Types }
  | { readonly kind: "error"; readonly n: number; readonly error: WireError }
  /** The call did not run. */
  | { readonly kind: "refusal"; readonly n: number; readonly why: Refusal }
  /** The answer is a stream. */
  | { readonly kind: "stream"; readonly n: number }
  | StreamMessage

export type StreamMessage =
  | { readonly kind: "item"; readonly n: number; readonly q: number; readonly value?: unknown; readonly types?: Types }
  /** The stream ends after the item `q`. */
  | { readonly kind: "end"; readonly n: number; readonly q: number; readonly value?: unknown; readonly types?: Types }
  | { readonly kind: "failure"; readonly n: number; readonly q: number; readonly error: WireError }
  /** The stream is open, and has sent the items up to `q`. */
  | { readonly kind: "at"; readonly n: number; readonly q: number }
  /** There is no such stream any more. */
  | { readonly kind: "unknown"; readonly n: number }

/** Why an instance does not run a call. */
export type Refusal = "draining" | "gone" | "overloaded"

/** An error of a handler that its contract defines, as oRPC writes it; or an error of this package. */
export type WireError =
  | { readonly orpc: object }
  | { readonly code: string; readonly message: string; readonly reason?: unknown }

/** What oRPC's JSON says of the types of a value: which parts of it are dates, maps and so on. */
export type Types = readonly (readonly [type: number, ...path: (string | number)[]])[]

const VERSION = 1
const PREFIX = `{"v":${VERSION},`
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/** Writes a message. */
export function encodeMessage(message: Message): Uint8Array {
  return encoder.encode(`${PREFIX}${JSON.stringify(message).slice(1)}`)
}

/** Reads a message. Returns why it cannot be read if it is not one. */
export function decodeMessage(bytes: Uint8Array): Message | "garbage" | "version" {
  let message: unknown
  try {
    message = JSON.parse(decoder.decode(bytes))
  } catch {
    return "garbage"
  }
  if (!isObject(message) || typeof message["v"] !== "number") return "garbage"
  if (message["v"] !== VERSION) return "version"
  return isMessage(message) ? (message as unknown as Message) : "garbage"
}

function isMessage({
  kind,
  from,
  n,
  q,
  to,
  path,
  ms,
  credit,
  trace,
  types,
  error,
  why,
}: Record<string, unknown>): boolean {
  if (!isCount(n)) return false
  switch (kind) {
    case "call":
      return (
        isPort(from) &&
        typeof to === "string" &&
        Array.isArray(path) &&
        path.every((name) => typeof name === "string") &&
        typeof ms === "number" &&
        ms > 0 &&
        ms <= MAX_MS &&
        (credit === undefined || isCount(credit)) &&
        (trace === undefined || typeof trace === "string") &&
        isTypes(types)
      )
    case "abort":
      return isPort(from)
    case "credit":
      return isPort(from) && isCount(q)
    case "value":
      return isTypes(types)
    case "item":
    case "end":
      return isCount(q) && isTypes(types)
    case "error":
      return isWireError(error)
    case "failure":
      return isCount(q) && isWireError(error)
    case "refusal":
      return why === "draining" || why === "gone" || why === "overloaded"
    case "at":
      return isCount(q)
    case "stream":
    case "unknown":
      return true
    default:
      return false
  }
}

/** Ports are named by letters and digits, so that they can be a part of a key. */
const isPort = (value: unknown): boolean => typeof value === "string" && /^[0-9a-z]{1,64}$/.test(value)

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const isTypes = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every((entry) => Array.isArray(entry)))

const isWireError = (value: unknown): boolean =>
  isObject(value) &&
  (isObject(value["orpc"]) || (typeof value["code"] === "string" && typeof value["message"] === "string"))
