import type { VersionVector } from "../crdt/clock.ts"
import type { FullState } from "../crdt/orswot.ts"
import type { Delta } from "../crdt/delta.ts"
import { clipRanges } from "../crdt/ranges.ts"
import { decodeClocks, decodePayload, encodeClocks, encodePayload, isCount, refAt, RefTable } from "./payload-codec.ts"
import { isRef, nodeOf } from "./replica-ref.ts"

/** What every message says: who sends it, and how many shards that node's tracker has. */
interface Sender {
  readonly ref: string
  readonly shards: number
}

/** I live, this is what I have seen, and, if anything, what I did since the last one (T28). */
export interface Heartbeat extends Sender {
  readonly type: "heartbeat"
  readonly clocks: VersionVector
  readonly delta: Delta | undefined
  /** The ref that the sender itself had before, which is over (D9). */
  readonly former: string | undefined
  /** Whether the sender has been away, and is to be told at once what the others have seen (D12). */
  readonly asks: boolean
}

/** This is what I have seen; send me what I lack. */
export interface TransferRequest extends Sender {
  readonly type: "request"
  readonly clocks: VersionVector
}

/** What you lack, or all that I have, or a piece of it. */
export interface TransferAnswer extends Sender {
  readonly type: "answer"
  readonly payload: Delta | FullState
  /** Whether other pieces follow. */
  readonly more: boolean
}

/** I stop; forget me at once (T33). */
export interface Goodbye extends Sender {
  readonly type: "goodbye"
}

/** I have buried `buried` and do not hear it any more; `by` stands in its place, if anybody does (D6, D9). */
export interface StaleRefNotice extends Sender {
  readonly type: "burial"
  readonly buried: string
  readonly by: string | undefined
}

/** What the trackers of two nodes say to each other, one shard to its like. */
export type Message = Heartbeat | TransferRequest | TransferAnswer | Goodbye | StaleRefNotice

/**
 * Why bytes are no message: `oversize`, `garbage` (no JSON, or not ours), `version` (of another one), `malformed` (a
 * part of the wrong shape, or a number that no node can have counted to).
 */
export type Refusal = "oversize" | "garbage" | "version" | "malformed"

const MARK = "rollcall"
const VERSION = 1

/** The largest message that is looked at, in bytes. */
export const MAX_MESSAGE_BYTES: number = 64 * 1024 * 1024

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

/**
 * A message as bytes: JSON, `["rollcall", version, type, shards, refs, …]`.
 *
 * A ref is long and stands in many places, so it is written once, in `refs`, the sender's first, and is elsewhere its
 * place in there. The rest is, by type: `heartbeat` clocks, delta or 0, the former ref or -1 and 1 if it asks, of which
 * the last two may be missing, `request` clocks, `answer` payload and 1 if more follow, `goodbye` nothing, `burial` the
 * buried and its successor or -1. Clocks are `[ref, clock, ref, clock, …]`.
 *
 * Throws a TypeError when a meta is no JSON value; the tracker has seen to it that all are.
 */
export function encodeMessage(message: Message): Uint8Array {
  const refs = new RefTable(message.ref)
  const body = bodyOf(message, refs)
  return encoder.encode(JSON.stringify([MARK, VERSION, message.type, message.shards, refs.all, ...body]))
}

function bodyOf(message: Message, refs: RefTable): unknown[] {
  switch (message.type) {
    case "heartbeat":
      return [
        encodeClocks(message.clocks, refs),
        message.delta === undefined ? 0 : encodePayload(message.delta, refs),
        ...(message.former === undefined && !message.asks ? [] : [placeOf(message.former, refs)]),
        ...(message.asks ? [1] : []),
      ]
    case "request":
      return [encodeClocks(message.clocks, refs)]
    case "answer":
      return [encodePayload(message.payload, refs), ...(message.more ? [1] : [])]
    case "goodbye":
      return []
    case "burial":
      return [refs.place(message.buried), placeOf(message.by, refs)]
  }
}

function placeOf(ref: string | undefined, refs: RefTable): number {
  return ref === undefined ? -1 : refs.place(ref)
}

/** Reads a message. Total: whatever the bytes are, there is an answer, and no exception. */
export function decodeMessage(bytes: Uint8Array, maxBytes: number = MAX_MESSAGE_BYTES): Message | Refusal {
  if (bytes.length > maxBytes) return "oversize"
  let json: unknown
  try {
    json = JSON.parse(decoder.decode(bytes))
  } catch {
    return "garbage"
  }
  if (!Array.isArray(json) || json[0] !== MARK) return "garbage"
  if (json[1] !== VERSION) return "version"
  return read(json) ?? "malformed"
}

function read(json: readonly unknown[]): Message | undefined {
  const [, , type, shards, names, first, second, third = -1, fourth = 0] = json
  if (!isCount(shards) || shards < 1 || !Array.isArray(names) || !names.every(isRef)) return undefined
  const refs: readonly string[] = names
  const ref = refs[0]
  if (ref === undefined) return undefined
  const sender = { ref, shards }
  switch (type) {
    case "heartbeat": {
      const clocks = decodeClocks(first, refs)
      const delta = second === 0 ? undefined : decodePayload(second, refs)
      const former = refAt(refs, third)
      if (clocks === undefined || (second !== 0 && delta?.mode !== "delta")) return undefined
      if ((third === -1) !== (former === undefined) || former === ref) return undefined
      if (former !== undefined && nodeOf(former) !== nodeOf(ref)) return undefined
      if (delta?.mode === "delta" && !isOwn(delta, ref)) return undefined
      if (fourth !== 0 && fourth !== 1) return undefined
      return { type, ...sender, clocks, delta: delta?.mode === "delta" ? delta : undefined, former, asks: fourth === 1 }
    }
    case "request": {
      const clocks = decodeClocks(first, refs)
      return clocks && { type, ...sender, clocks }
    }
    case "answer": {
      const payload = decodePayload(first, refs)
      return payload && { type, ...sender, payload, more: second === 1 }
    }
    case "goodbye":
      return { type, ...sender }
    case "burial": {
      const buried = refAt(refs, first)
      const by = refAt(refs, second)
      return buried === undefined || (second !== -1 && by === undefined) ? undefined : { type, ...sender, buried, by }
    }
    default:
      return undefined
  }
}

/**
 * Whether a delta is complete, and for its sender alone: nobody can say that of another's history. One that claims more
 * than it brings would be kept, and be the answer to whoever lacks what it does not bring.
 */
function isOwn({ parts, start, end }: Delta, ref: string): boolean {
  if ([...start.keys(), ...end.keys()].some((named) => named !== ref)) return false
  const [from, to] = [start.get(ref) ?? 0, end.get(ref) ?? 0]
  const [first, last] = clipRanges(parts.get(ref)?.seen ?? [], from + 1, to)
  return to <= from || (first === from + 1 && last === to)
}
