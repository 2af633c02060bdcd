import type { Digest, VersionVector } from "../crdt/clock.ts"
import { clipRanges } from "../crdt/ranges.ts"
import { decodeClocks, decodePayload, encodeClocks, encodePayload, refAt, RefTable } from "./payload-codec.ts"
import type { Delta, Payload } from "./tracked-payload.ts"
import { isUnaltered, withChecksum } from "./checksum.ts"
import { isRef, nodeOf } from "./replica-ref.ts"
import { isCount } from "./row-checks.ts"

/** The fields of every message. */
export interface Sender {
  /** The replica that sends the message. */
  readonly ref: string
  /** The number of shards of the sender's tracker. */
  readonly shards: number
}

/** Shows that the sender is alive. Carries its own clock, and its changes since its last heartbeat (T28). */
export interface Heartbeat extends Sender {
  readonly type: "heartbeat"
  /** The sender's own clock; those of all replicas that are up at the sender, if they were requested. */
  readonly clocks: VersionVector
  /** The digest of all clocks of the sender. Without it, this is a delta, or the sender is of an earlier release. */
  readonly digest: Digest | undefined
  /** The sender's own changes, if there are any. */
  readonly delta: Delta | undefined
  /** The sender's ref before its last restart. That ref is stale (D9). */
  readonly previousRef: string | undefined
  /**
   * What the receiver must send at once: a heartbeat, because the sender was absent (D12), or a heartbeat with all its clocks,
   * because the digests differ.
   */
  readonly requests: "nothing" | "heartbeat" | "clocks"
}

/** Asks a node for everything that it has seen beyond `clocks`. */
export interface TransferRequest extends Sender {
  readonly type: "transferRequest"
  readonly clocks: VersionVector
  /** Whether the response may be packed. Nodes of earlier releases do not ask for it. */
  readonly acceptsPacked: boolean
}

/** The response to a transfer request: a delta, a full state, or a chunk of either. */
export interface TransferResponse extends Sender {
  readonly type: "transferResponse"
  readonly payload: Payload
  /** Whether its rows are to be packed in the encoded message. Of a decoded message it is always `false`. */
  readonly isPacked: boolean
  /** Whether more chunks follow. */
  readonly hasMore: boolean
  /** The number of the chunk, from 0. Nodes of earlier releases do not number them. */
  readonly index: number | undefined
}

/** Announces that the sender stops. The receivers treat its ref as permanently down at once (T33). */
export interface Goodbye extends Sender {
  readonly type: "goodbye"
}

/** Notifies a node that one of its refs is stale at the sender, which ignores the messages of that ref (D6, D9). */
export interface StaleRefNotice extends Sender {
  readonly type: "staleRefNotice"
  readonly staleRef: string
  /** The receiver's current ref, as the sender knows it; `undefined` if the receiver is not up there. */
  readonly currentRef: string | undefined
}

/** A message from a shard of one node to the same shard of another. */
export type Message = Heartbeat | TransferRequest | TransferResponse | Goodbye | StaleRefNotice

/**
 * Message type → its name in the encoded message.
 *
 * Some wire names are older than the names in the code. They must stay: during a rolling update, nodes of two releases
 * exchange messages.
 */
const WIRE_NAMES: Readonly<Record<Message["type"], string>> = {
  heartbeat: "heartbeat",
  transferRequest: "request",
  transferResponse: "answer",
  goodbye: "goodbye",
  staleRefNotice: "burial",
}

const TYPES: ReadonlyMap<unknown, Message["type"]> = new Map(
  (Object.keys(WIRE_NAMES) as Message["type"][]).map((type) => [WIRE_NAMES[type], type]),
)

/**
 * The reason why bytes are not an acceptable message:
 * - `oversize`: there are more bytes than the limit.
 * - `garbage`: they are not JSON, not as they were sent, or the message of another program.
 * - `version`: the message has another version.
 * - `malformed`: a part has the wrong shape, or a number is not a possible count.
 */
export type Refusal = "oversize" | "garbage" | "version" | "malformed"

/** What a heartbeat requests, by its number in the encoded message. */
const REQUESTS: readonly Heartbeat["requests"][] = ["nothing", "heartbeat", "clocks"]

/** The number by which a transfer request accepts packed rows. */
const PACKED = 3

const MARK = "rollcall"
const VERSION = 1

/** The default maximum size of a message, in bytes. */
export const MAX_MESSAGE_BYTES: number = 64 * 1024 * 1024

const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * Encodes a message as JSON: `["rollcall", version, wire name, shards, refs, …]`, followed by a checksum.
 *
 * A ref is long and occurs in many places. It is written once, in `refs`, where the sender's ref comes first. Everywhere
 * else it is written as its index in `refs`. The remaining items by wire name:
 * - `heartbeat`: clocks, delta or 0, the previous ref or -1, what it requests (0 nothing, 1 a heartbeat, 2 clocks), and the
 *   digest: sum, hash. The last four may be missing. Value 2 is sent only to nodes that have sent a digest.
 * - `request`: clocks, 3 if the response may be packed. Earlier releases send a 1 or a 2, for forms that are not sent any more.
 * - `answer`: payload, 1 if more chunks follow, the number of the chunk. The last two may be missing.
 * - `goodbye`: nothing
 * - `burial`: the stale ref, the current ref or -1
 *
 * Clocks are `[ref, clock, ref, clock, …]`.
 *
 * @throws TypeError if a meta is not JSON; the tracker accepts no such meta
 */
export function encodeMessage(message: Message): Uint8Array {
  const refs = new RefTable(message.ref)
  const body = encodeBody(message, refs)
  return withChecksum(JSON.stringify([MARK, VERSION, WIRE_NAMES[message.type], message.shards, refs.all, ...body]))
}

function encodeBody(message: Message, refs: RefTable): unknown[] {
  switch (message.type) {
    case "heartbeat":
      return [
        encodeClocks(message.clocks, refs),
        message.delta === undefined ? 0 : encodePayload(message.delta, refs),
        ...encodeHeartbeatDetails(message, refs),
      ]
    case "transferRequest":
      return [encodeClocks(message.clocks, refs), ...(message.acceptsPacked ? [PACKED] : [])]
    case "transferResponse":
      return [encodePayload(message.payload, refs, message.isPacked), ...encodeChunk(message)]
    case "goodbye":
      return []
    case "staleRefNotice":
      return [refs.indexOf(message.staleRef), encodeOptionalRef(message.currentRef, refs)]
  }
}

/** Returns the items of a heartbeat that may be missing. */
function encodeHeartbeatDetails({ previousRef, requests, digest }: Heartbeat, refs: RefTable): number[] {
  if (digest === undefined && requests === "nothing" && previousRef === undefined) return []
  const previous = encodeOptionalRef(previousRef, refs)
  return [previous, REQUESTS.indexOf(requests), ...(digest === undefined ? [] : [digest.sum, digest.hash])]
}

/** Returns the items of a response that may be missing: a response in one message needs none of them. */
function encodeChunk({ hasMore, index }: TransferResponse): number[] {
  if (index === undefined) return hasMore ? [1] : []
  return hasMore || index > 0 ? [hasMore ? 1 : 0, index] : []
}

function encodeOptionalRef(ref: string | undefined, refs: RefTable): number {
  return ref === undefined ? -1 : refs.indexOf(ref)
}

/** Decodes a message, or returns the reason why the bytes are not a message. Never throws. */
export function decodeMessage(bytes: Uint8Array, maxBytes: number = MAX_MESSAGE_BYTES): Message | Refusal {
  if (bytes.length > maxBytes) return "oversize"
  if (!isUnaltered(bytes)) return "garbage"
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch {
    return "garbage"
  }
  if (!Array.isArray(json) || json[0] !== MARK) return "garbage"
  if (json[1] !== VERSION) return "version"
  return decodeBody(json) ?? "malformed"
}

function decodeBody(json: readonly unknown[]): Message | undefined {
  const [, , name, shards, names, first, second, third = -1, fourth = 0, sum, hash] = json
  if (!isCount(shards) || shards < 1 || !Array.isArray(names) || !names.every(isRef)) return undefined
  const refs: readonly string[] = names
  const ref = refs[0]
  const type = TYPES.get(name)
  if (ref === undefined || type === undefined) return undefined
  const sender = { ref, shards }
  switch (type) {
    case "heartbeat": {
      const clocks = decodeClocks(first, refs)
      const delta = second === 0 ? undefined : decodePayload(second, refs)
      const previousRef = refAt(refs, third)
      if (clocks === undefined || (second !== 0 && delta?.mode !== "delta")) return undefined
      if ((third === -1) !== (previousRef === undefined) || previousRef === ref) return undefined
      if (previousRef !== undefined && nodeOf(previousRef) !== nodeOf(ref)) return undefined
      if (delta?.mode === "delta" && !isOwnAndComplete(delta, ref)) return undefined
      const requests = isCount(fourth) ? REQUESTS[fourth] : undefined
      if (requests === undefined || (sum !== undefined && !(isCount(sum) && isCount(hash)))) return undefined
      const digest = isCount(sum) && isCount(hash) ? { sum, hash } : undefined
      const ownDelta = delta?.mode === "delta" ? delta : undefined
      return { type, ...sender, clocks, digest, delta: ownDelta, previousRef, requests }
    }
    case "transferRequest": {
      const clocks = decodeClocks(first, refs)
      return clocks && { type, ...sender, clocks, acceptsPacked: second === PACKED }
    }
    case "transferResponse": {
      const payload = decodePayload(first, refs)
      const hasMore = second === 1
      const index = isCount(third) ? third : hasMore ? undefined : 0
      return payload && { type, ...sender, payload, isPacked: false, hasMore, index }
    }
    case "goodbye":
      return { type, ...sender }
    case "staleRefNotice": {
      const staleRef = refAt(refs, first)
      const currentRef = refAt(refs, second)
      if (staleRef === undefined || (second !== -1 && currentRef === undefined)) return undefined
      return { type, ...sender, staleRef, currentRef }
    }
  }
}

/**
 * Returns whether a delta contains all dots from `start` to `end`, and has its sender as the only replica in these, since a
 * node knows only its own history completely.
 *
 * A delta that claims dots without containing them would be kept, and would later be sent to nodes that lack these dots.
 */
function isOwnAndComplete({ parts, start, end }: Delta, sender: string): boolean {
  if ([...start.keys(), ...end.keys()].some((ref) => ref !== sender)) return false
  const [from, to] = [start.get(sender) ?? 0, end.get(sender) ?? 0]
  const [first, last] = clipRanges(parts.get(sender)?.seen ?? [], from + 1, to)
  return to <= from || (first === from + 1 && last === to)
}
