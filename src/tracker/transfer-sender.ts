import { chunksOf } from "../crdt/payload-chunks.ts"
import { setUnref, type Timers } from "../timers.ts"
import type { FullState, Payload } from "./tracked-payload.ts"
import type { TransferResponse } from "./tracker-messages.ts"

/**
 * The maximum number of rows in one message, so that neither end is busy for long. With small metas, these are 0.5 MB.
 */
const MAX_CHUNK_ROWS = 4096
/** The size in bytes above which a message is split. Every engine accepts messages of this size. */
const MAX_CHUNK_BYTES = 1024 * 1024
/**
 * The time between two chunks, in ms. It limits the rate to 40 MB/s, since a large state sent at once would overflow
 * buffers.
 */
const CHUNK_INTERVAL_MS = 25

/** The options of a transfer sender. */
export interface TransferSenderOptions {
  readonly timers: Timers
  readonly maxMessageBytes: number
  /**
   * Sends one chunk of a response, unless its message is larger than `maxBytes`.
   * @returns whether the message was small enough
   */
  sendChunk(node: string, chunk: Chunk, maxBytes: number): boolean
}

type Chunk = Pick<TransferResponse, "payload" | "isPacked" | "hasMore" | "index">

/**
 * Sends the responses to transfer requests. A response is one message, or several chunks if one message would be too
 * large.
 */
export class TransferSender {
  readonly #options: TransferSenderOptions
  /** Node → the chunks that have not been sent yet. */
  readonly #queues = new Map<
    string,
    { readonly payloads: Payload[]; isPacked: boolean; sent: number; timer: unknown }
  >()

  constructor(options: TransferSenderOptions) {
    this.#options = options
  }

  /**
   * Sends a response. Does nothing while another response to the same node is being sent, since that response serves
   * this request, too.
   */
  send(node: string, payload: Payload, isPacked: boolean): void {
    if (this.#queues.has(node)) return
    const isLarge = payload.mode === "full" && countRows(payload) > MAX_CHUNK_ROWS
    const payloads = isLarge ? split(payload, MAX_CHUNK_ROWS) : [payload]
    this.#queues.set(node, { payloads, isPacked, sent: 0, timer: undefined })
    this.#sendNext(node)
  }

  stop(): void {
    for (const { timer } of this.#queues.values()) this.#options.timers.clear(timer)
    this.#queues.clear()
  }

  #sendNext(node: string): void {
    const queue = this.#queues.get(node)
    if (queue === undefined) return
    const { payloads, isPacked, sent } = queue
    const payload = payloads.shift()!
    const chunks = this.#sendOrSplit(node, { payload, isPacked, hasMore: payloads.length > 0, index: sent })
    if (chunks.length === 0) queue.sent += 1
    payloads.unshift(...chunks)
    if (payloads.length === 0) this.#queues.delete(node)
    else if (chunks.length > 0) this.#sendNext(node)
    else queue.timer = setUnref(this.#options.timers, () => this.#sendNext(node), CHUNK_INTERVAL_MS)
  }

  /**
   * Sends a payload, or returns it in chunks if it is too large. A payload of a single row is sent even if it is too large,
   * so that the receiver reports it.
   */
  #sendOrSplit(node: string, chunk: Chunk): readonly FullState[] {
    const { sendChunk, maxMessageBytes } = this.#options
    if (sendChunk(node, chunk, Math.min(maxMessageBytes, MAX_CHUNK_BYTES))) return []
    const chunks = split(chunk.payload, Math.ceil(countRows(chunk.payload) / 2))
    if (chunks.length > 1) return chunks
    sendChunk(node, chunk, Infinity)
    return []
  }
}

function countRows({ parts }: Payload): number {
  let count = 0
  for (const { rows } of parts.values()) count += rows.length
  return count
}

/**
 * Splits a payload. The chunks of a delta are sent as full states, not as deltas, because only all of them together
 * have no gap.
 */
function split({ parts }: Payload, maxRows: number): FullState[] {
  return chunksOf(parts, Math.max(1, maxRows)).map((chunk) => ({ mode: "full", parts: chunk }))
}
