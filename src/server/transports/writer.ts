import type { Duplex } from "node:stream"
import { Sender } from "ws"
import type { WebSocket } from "ws"
import type { Endpoint, Frame } from "../transport.ts"

/** How `ws` frames a message. Its types leave out the class, which the package exports. */
declare module "ws" {
  export const Sender: {
    frame(
      data: Buffer,
      options: { fin: boolean; opcode: 1 | 2; mask: false; readOnly: true; rsv1: false },
    ): readonly Buffer[]
  }
}

/** What a client that does not read may be told before its connection is broken, in ms. */
const CLOSE_GRACE_MS = 1_000

/**
 * Writes frames to one WebSocket: framed once however many sockets they go to, and what is sent in one turn of the
 * event loop leaves in one write.
 *
 * The bytes go to the upgrade's own stream, past `ws`'s sender. That keeps their order as long as the sender has
 * nothing queued, which it never has without compression: it writes pongs and closes at once.
 */
export class SocketWriter {
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
    const bytes = framed(frame)
    const { limits, count } = this.#endpoint
    if (this.#raw.writableLength + bytes.length > limits.maxBufferedBytes) {
      count("slow_consumers")
      this.#giveUp()
      return
    }
    count("frames_out")
    if (!this.#corked) {
      this.#corked = true
      this.#raw.cork()
      uncorkSoon(this)
    }
    this.#raw.write(bytes)
  }

  uncork(): void {
    this.#corked = false
    this.#raw.uncork()
  }

  /** Nothing more is sent, so what waits stays bounded; the client gets the code if it reads on at all. */
  #giveUp(): void {
    const { timers } = this.#endpoint
    this.#websocket.close(1013)
    timers.set(() => this.#websocket.terminate(), CLOSE_GRACE_MS)
  }
}

function framed(frame: Frame): Buffer {
  if (frame.framed === undefined) {
    const { data } = frame
    const isText = typeof data === "string"
    const payload = isText ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    const opcode = isText ? 1 : 2
    frame.framed = Buffer.concat(Sender.frame(payload, { fin: true, opcode, mask: false, readOnly: true, rsv1: false }))
  }
  return frame.framed as Buffer
}

/** The writers that have been written to in this turn. One immediate uncorks them all. */
let corked: SocketWriter[] = []

function uncorkSoon(writer: SocketWriter): void {
  if (corked.push(writer) === 1) setImmediate(uncorkAll)
}

function uncorkAll(): void {
  const writers = corked
  corked = []
  for (const writer of writers) writer.uncork()
}
