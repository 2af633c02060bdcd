import type { Duplex } from "node:stream"
import * as ws from "ws"
import type { WebSocket } from "ws"
import { SLOW_CONSUMER } from "../../../wire/close-codes.ts"
import type { Endpoint, Frame, Outlet } from "../../transport.ts"
import { deflatedBody, END } from "./deflated.ts"

/** How long the connection of a client that does not read stays open for the close frame, in ms. */
const CLOSE_GRACE_MS = 1_000

/**
 * Writes frames to one WebSocket. A frame is encoded once, even if it goes to many sockets. All frames that are sent during one
 * tick of the event loop leave in one write.
 *
 * The bytes go directly to the connection's stream, past the sender of `ws`. The order is right as long as that sender queues
 * nothing. It queues only messages that it compresses itself, and gets none: it writes pongs and close frames immediately.
 */
export class FrameWriter implements Outlet {
  readonly #websocket: WebSocket
  readonly #raw: Duplex
  readonly #endpoint: Endpoint
  readonly #isCompressed: boolean
  #isCorked = false

  /** @param isCompressed whether the client understands compressed messages */
  constructor(websocket: WebSocket, raw: Duplex, endpoint: Endpoint, isCompressed = false) {
    this.#websocket = websocket
    this.#raw = raw
    this.#endpoint = endpoint
    this.#isCompressed = isCompressed
  }

  send(frame: Frame): void {
    if (this.#websocket.readyState !== this.#websocket.OPEN) return
    const compressed = this.#isCompressed ? compressedChunksOf(frame) : undefined
    const chunks = compressed ?? chunksOf(frame)
    const { limits, count } = this.#endpoint
    let size = 0
    for (const chunk of chunks) size += chunk.length
    if (this.#raw.writableLength > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.#closeSlowConsumer()
      return
    }
    count("frames_out")
    if (compressed !== undefined) count("compressed_frames")
    count("bytes_out", size)
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#raw.cork()
      uncorkSoon(this)
    }
    for (const chunk of chunks) this.#raw.write(chunk)
  }

  close(code: number): void {
    this.#websocket.close(code)
  }

  uncork(): void {
    this.#isCorked = false
    this.#raw.uncork()
  }

  /** Closes with 1013. The close frame is the last one in the buffer. The client receives it if it starts to read again. */
  #closeSlowConsumer(): void {
    const { timers } = this.#endpoint
    this.#websocket.close(SLOW_CONSUMER)
    timers.set(() => this.#websocket.terminate(), CLOSE_GRACE_MS)
  }
}

/** The framer of `ws`, which its types do not declare. It reads only the length of an unmasked payload. */
const { Sender } = ws as unknown as {
  readonly Sender: { frame(payload: { readonly length: number }, options: object): readonly [Buffer, unknown] }
}

/** A type of message: the framer's options for it, and the frame headers for copied payloads, by the payload's length. */
interface MessageType {
  readonly options: object
  readonly headers: Uint8Array[]
}
const messageType = (opcode: number, rsv1 = false): MessageType => ({
  options: { fin: true, rsv1, mask: false, readOnly: true, opcode },
  headers: [],
})
const [TEXT, BINARY, COMPRESSED] = [messageType(1), messageType(2), messageType(1, true)]

/** The largest payload that is copied behind its header, in bytes. Up to this size, a copy costs less than a second write. */
const MAX_COPIED_BYTES = 4_096

/** The key under which a frame keeps its chunks, so that a broadcast is encoded once for all of its sockets. */
const CHUNKS = Symbol("WebSocket chunks")
/** The same for the clients that get it compressed. */
const COMPRESSED_CHUNKS = Symbol("compressed WebSocket chunks")

/**
 * Returns a whole message as the chunks to write. Usually it is one chunk, so that a broadcast costs one write per socket. A
 * large payload is a second chunk behind the header. A payload that many envelopes share is the second of three chunks.
 */
function chunksOf(frame: Frame & { [CHUNKS]?: readonly Uint8Array[] }): readonly Uint8Array[] {
  frame[CHUNKS] ??= frame.parts === undefined ? encodeData(frame.data) : encodeParts(frame.parts)
  return frame[CHUNKS]
}

/** Returns a message with its body compressed, or `undefined` if it must be sent as it is. */
function compressedChunksOf(
  frame: Frame & { [COMPRESSED_CHUNKS]?: readonly Uint8Array[] },
): readonly Uint8Array[] | undefined {
  if (frame[COMPRESSED_CHUNKS] !== undefined) return frame[COMPRESSED_CHUNKS]
  const body = deflatedBody(frame)
  if (body === undefined) return undefined
  const [first = END, ...rest] = body
  const header = headerOf(
    body.reduce((size, chunk) => size + chunk.length, 0),
    COMPRESSED,
  )
  frame[COMPRESSED_CHUNKS] = [Buffer.concat([header, first]), ...rest]
  return frame[COMPRESSED_CHUNKS]
}

function encodeData(data: Frame["data"]): readonly Uint8Array[] {
  if (typeof data === "string" && data.length <= MAX_SMALL_TEXT) return [encodeSmallText(data)]
  const isText = typeof data === "string"
  const length = isText ? Buffer.byteLength(data) : data.length
  const header = headerOf(length, isText ? TEXT : BINARY)
  if (length > MAX_COPIED_BYTES) return [header, isText ? Buffer.from(data) : data]
  return [Buffer.concat([header, isText ? Buffer.from(data) : data])]
}

/** The longest text that is written in one pass, without measuring it first, in UTF-16 units. */
const MAX_SMALL_TEXT = 1_024
/** The greatest header of such a text, in bytes. */
const MAX_HEADER_BYTES = 4
/** Memory for small texts. Like Node's own pool, it is given up as a whole, so that it must not be large. */
const SLAB_BYTES = 16_384
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let used = 0

function encodeSmallText(text: string): Uint8Array {
  // A UTF-16 unit takes at most three bytes.
  if (used + MAX_HEADER_BYTES + 3 * text.length > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    used = 0
  }
  // The header has this size unless characters take several bytes.
  const expected = headerOf(text.length, TEXT).length
  const length = slab.write(text, used + expected)
  const header = headerOf(length, TEXT)
  if (header.length !== expected) slab.copyWithin(used + header.length, used + expected, used + expected + length)
  slab.set(header, used)
  const chunk = slab.subarray(used, used + header.length + length)
  used += chunk.length
  return chunk
}

function headerOf(length: number, { options, headers }: MessageType): Uint8Array {
  if (length > MAX_COPIED_BYTES) return Sender.frame({ length }, options)[0]
  // The cache holds a copy. A small Buffer is a slice of Node's 8 kB pool and would keep the whole pool in memory.
  return (headers[length] ??= Uint8Array.from(Sender.frame({ length }, options)[0]))
}

function encodeParts([before, shared, after]: NonNullable<Frame["parts"]>): readonly Uint8Array[] {
  shared.bytes ??= Buffer.from(shared.text)
  const [first, last] = [Buffer.from(before), Buffer.from(after)]
  const header = headerOf(first.length + shared.bytes.length + last.length, TEXT)
  return [Buffer.concat([header, first]), shared.bytes, last]
}

/** The writers that have sent frames during this tick. One immediate uncorks all of them. */
let corked: FrameWriter[] = []

function uncorkSoon(writer: FrameWriter): void {
  if (corked.push(writer) === 1) setImmediate(uncorkAll)
}

function uncorkAll(): void {
  const writers = corked
  corked = []
  for (const writer of writers) writer.uncork()
}
