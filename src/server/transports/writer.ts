import type { Duplex } from "node:stream"
import type { WebSocket } from "ws"
import type { Data } from "../../wire/message.ts"
import type { Endpoint, Frame } from "../transport.ts"
import type { Outgoing } from "./outgoing.ts"

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
  readonly #outgoing: Outgoing
  #corked = false

  /** @param outgoing counts what all writers of the endpoint write */
  constructor(websocket: WebSocket, raw: Duplex, endpoint: Endpoint, outgoing: Outgoing) {
    this.#websocket = websocket
    this.#raw = raw
    this.#endpoint = endpoint
    this.#outgoing = outgoing
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
    this.#outgoing.add(bytes.length)
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
  frame.framed ??= encode(frame.data)
  return frame.framed as Buffer
}

/**
 * A whole message in one unmasked frame (RFC 6455, 5.2). Head and payload go into one buffer at once: a framer that takes
 * bytes would have the text of a room's state copied twice more, once to make bytes of it and once to join the two.
 */
function encode(data: Data): Buffer {
  const isText = typeof data === "string"
  const size = isText ? Buffer.byteLength(data) : data.length
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10
  const bytes = Buffer.allocUnsafe(head + size)
  bytes[0] = FINAL | (isText ? TEXT : BINARY)
  if (head === 2) {
    bytes[1] = size
  } else if (head === 4) {
    bytes[1] = 126
    bytes.writeUInt16BE(size, 2)
  } else {
    bytes[1] = 127
    bytes.writeBigUInt64BE(BigInt(size), 2)
  }
  if (isText) bytes.write(data, head)
  else bytes.set(data, head)
  return bytes
}

const FINAL = 0x80
const TEXT = 1
const BINARY = 2

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
