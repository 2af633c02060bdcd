import { decodeMessage, type Message } from "../tracker/tracker-messages.ts"
import { nodeOf } from "../tracker/replica-ref.ts"
import type { Row } from "../tracker/topic-diff.ts"

/** What a message says of one start of a node. A change without a row is a removal, or its row was removed. */
export interface MessagePart {
  readonly ref: string
  readonly node: string
  /** The numbers of the changes, as ranges `[from, to, from, to, …]`. */
  readonly seen: readonly number[]
  readonly rows: readonly (Row & { readonly clock: number })[]
}

/** A message between two trackers, decoded. */
export interface TrackerMessage {
  /**
   * - `heartbeat`: the sender lives. It may carry the sender's latest changes.
   * - `transferRequest`: asks for all that the sender lacks, beyond `clocks`.
   * - `transferResponse`: the answer.
   * - `goodbye`: the sender stops.
   * - `staleRefNotice`: the receiver counts as gone, and must start anew.
   */
  readonly type: Message["type"]
  /** The sender's name and a random part, which differs at each start. */
  readonly ref: string
  readonly node: string
  /** How far the sender has seen the changes of each start of a node; in a heartbeat often only its own. */
  readonly clocks: readonly { readonly ref: string; readonly node: string; readonly clock: number }[]
  /** What it carries, by the node that changed it. */
  readonly parts: readonly MessagePart[]
  /** What the receiver must send at once. */
  readonly requests: "nothing" | "heartbeat" | "clocks"
}

/**
 * Decodes a message between trackers, as `onMessage` of a `SeededNetwork` gets it. Returns `undefined` for other bytes, such as
 * the broadcasts of channels.
 */
export function readTrackerMessage(bytes: Uint8Array): TrackerMessage | undefined {
  const message = decodeMessage(bytes)
  if (typeof message === "string") return undefined
  const { type, ref } = message
  const payload = "delta" in message ? message.delta : "payload" in message ? message.payload : undefined
  return {
    type,
    ref,
    node: nodeOf(ref),
    clocks: Array.from("clocks" in message ? message.clocks : [], ([ref, clock]) => ({
      ref,
      node: nodeOf(ref),
      clock,
    })),
    parts: Array.from(payload?.parts ?? [], ([ref, part]) => ({ ref, node: nodeOf(ref), ...part })),
    requests: message.type === "heartbeat" ? message.requests : "nothing",
  }
}
