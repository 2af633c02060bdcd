import { chunksOf } from "../crdt/chunks.ts"
import type { FullState } from "../crdt/orswot.ts"
import type { Delta } from "../crdt/delta.ts"
import { setUnref, type Timers } from "../timers.ts"

/** How many rows one message holds, so that neither end is busy with it for long: half a megabyte of small metas. */
const MAX_ROWS = 4096
/** How large a message becomes before it is cut into smaller ones: what engines take without a thought. */
const MAX_BYTES = 1024 * 1024
/** Between two pieces, in ms: 40 MB/s at most. In one go, a large state would overflow the buffers on its way. */
const PACE_MS = 25

/** What answers are given. */
export interface TransferSenderOptions {
  readonly timers: Timers
  readonly maxMessageBytes: number
  /** Sends one message of an answer, unless it is larger than `maxBytes`; tells whether it was small enough. */
  send(node: string, payload: Delta | FullState, more: boolean, maxBytes: number): boolean
}

/** The answers to others' requests: each one message, or several in a row where it would be too large for one. */
export class TransferSender {
  readonly #options: TransferSenderOptions
  /** Node → what it is still to be sent, while that is something. */
  readonly #rest = new Map<string, { readonly payloads: (Delta | FullState)[]; timer: unknown }>()

  constructor(options: TransferSenderOptions) {
    this.#options = options
  }

  /** Sends an answer; to a node that one is on its way to already, that is the answer. */
  answer(node: string, payload: Delta | FullState): void {
    if (this.#rest.has(node)) return
    const isLarge = payload.mode === "full" && countRows(payload) > MAX_ROWS
    this.#rest.set(node, { payloads: isLarge ? piecesOf(payload, MAX_ROWS) : [payload], timer: undefined })
    this.#next(node)
  }

  stop(): void {
    for (const { timer } of this.#rest.values()) this.#options.timers.clear(timer)
    this.#rest.clear()
  }

  #next(node: string): void {
    const rest = this.#rest.get(node)
    if (rest === undefined) return
    const { payloads } = rest
    const payload = payloads.shift()!
    const pieces = this.#send(node, payload, payloads.length > 0)
    payloads.unshift(...pieces)
    if (payloads.length === 0) this.#rest.delete(node)
    else if (pieces.length > 0) this.#next(node)
    else rest.timer = setUnref(this.#options.timers, () => this.#next(node), PACE_MS)
  }

  /** Sends a payload, or returns it in pieces. One of a single row goes as it is: the other node will say that it is too large. */
  #send(node: string, payload: Delta | FullState, more: boolean): readonly FullState[] {
    const { send, maxMessageBytes } = this.#options
    if (send(node, payload, more, Math.min(maxMessageBytes, MAX_BYTES))) return []
    const pieces = piecesOf(payload, Math.ceil(countRows(payload) / 2))
    if (pieces.length > 1) return pieces
    send(node, payload, more, Infinity)
    return []
  }
}

function countRows({ parts }: Delta | FullState): number {
  let count = 0
  for (const { rows } of parts.values()) count += rows.length
  return count
}

/** In pieces a delta is none any more: it closes no gap until all of them are there. */
function piecesOf({ parts }: Delta | FullState, maxRows: number): FullState[] {
  return chunksOf(parts, Math.max(1, maxRows)).map((piece) => ({ mode: "full", parts: piece }))
}
