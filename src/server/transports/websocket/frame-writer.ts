import type { Duplex } from "node:stream"
import * as ws from "ws"
import type { WebSocket } from "ws"
import { SLOW_CONSUMER } from "../../../wire/close-codes.ts"
import type { Endpoint, Frame, Outlet } from "../../transport.ts"

/** What a client that does not read may be told before its connection is broken, in ms. */
const CLOSE_GRACE_MS = 1_000

/**
 * Writes frames to one WebSocket: framed once however many sockets they go to, and what is sent in one turn of the
 * event loop leaves in one write.
 *
 * The bytes go to the upgrade's own stream, past `ws`'s sender. That keeps their order as long as the sender has
 * nothing queued, which it never has without compression: it writes pongs and closes at once.
 */
export class FrameWriter implements Outlet {
  readonly #websocket: WebSocket
  readonly #raw: Duplex
  readonly #endpoint: Endpoint
  #corked = false

  constructor(websocket: WebSocket, raw: Duplex, endpoint: Endpoint) {
    this.#websocket = websocket
    this.#raw = raw
    this.#endpoint = endpoint
  }

  send(frame: Frame): void {
    if (this.#websocket.readyState !== this.#websocket.OPEN) return
    const chunks = framed(frame)
    const { limits, count } = this.#endpoint
    let size = 0
    for (const chunk of chunks) size += chunk.length
    if (this.#raw.writableLength > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.#giveUp()
      return
    }
    count("frames_out")
    count("bytes_out", size)
    if (!this.#corked) {
      this.#corked = true
      this.#raw.cork()
      uncorkSoon(this)
    }
    for (const chunk of chunks) this.#raw.write(chunk)
  }

  close(code: number): void {
    this.#websocket.close(code)
  }

  uncork(): void {
    this.#corked = false
    this.#raw.uncork()
  }

  /** Nothing more is sent, so what waits stays bounded; the client gets the code if it reads on at all. */
  #giveUp(): void {
    const { timers } = this.#endpoint
    this.#websocket.close(SLOW_CONSUMER)
    timers.set(() => this.#websocket.terminate(), CLOSE_GRACE_MS)
  }
}

/** `ws`'s own framer, which its types leave out. Of a payload that is not masked it looks at the length only, for the head. */
const { Sender } = ws as unknown as {
  readonly Sender: { frame(payload: { readonly length: number }, options: object): readonly [Buffer, unknown] }
}

/** A kind of message: how `ws` is told of it, and the heads of those that are copied, by length. */
interface Kind {
  readonly options: object
  readonly heads: Uint8Array[]
}
const kind = (opcode: number): Kind => ({
  options: { fin: true, rsv1: false, mask: false, readOnly: true, opcode },
  heads: [],
})
const [TEXT, BINARY] = [kind(1), kind(2)]

/** Up to here to copy bytes costs less than to write one chunk more, in bytes. */
const MOST_COPIED = 4_096

/**
 * A whole message as the chunks to write: one, so that a broadcast is one write for each of its sockets; a head and the
 * rest, where that is large; or three, of which the large one in the middle is shared by all who are sent it.
 */
function framed(frame: Frame): readonly Uint8Array[] {
  frame.framed ??= frame.parts === undefined ? whole(frame.data) : inParts(frame.parts)
  return frame.framed as readonly Uint8Array[]
}

function whole(data: Frame["data"]): readonly Uint8Array[] {
  const isText = typeof data === "string"
  const length = isText ? Buffer.byteLength(data) : data.length
  const head = headOf(length, isText ? TEXT : BINARY)
  if (length > MOST_COPIED) return [head, isText ? Buffer.from(data) : data]
  const chunk = Buffer.allocUnsafe(head.length + length)
  chunk.set(head)
  if (isText) chunk.write(data, head.length)
  else chunk.set(data, head.length)
  return [chunk]
}

function headOf(length: number, { options, heads }: Kind): Uint8Array {
  if (length > MOST_COPIED) return Sender.frame({ length }, options)[0]
  // What is kept is a copy: a small buffer of Node's is a part of a pool of eight kilobytes, which it would keep as well.
  return (heads[length] ??= Uint8Array.from(Sender.frame({ length }, options)[0]))
}

function inParts([before, shared, after]: NonNullable<Frame["parts"]>): readonly Uint8Array[] {
  shared.bytes ??= Buffer.from(shared.json)
  const [first, last] = [Buffer.from(before), Buffer.from(after)]
  const head = headOf(first.length + shared.bytes.length + last.length, TEXT)
  return [Buffer.concat([head, first]), shared.bytes, last]
}

/** The writers that have been written to in this turn. One immediate uncorks them all. */
let corked: FrameWriter[] = []

function uncorkSoon(writer: FrameWriter): void {
  if (corked.push(writer) === 1) setImmediate(uncorkAll)
}

function uncorkAll(): void {
  const writers = corked
  corked = []
  for (const writer of writers) writer.uncork()
}
