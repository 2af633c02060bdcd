import { connect } from "node:net"

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
/** A server proves that it speaks WebSocket by what it makes of this; that is not measured here, so one key does for all. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ=="

/** One buffer takes what any socket reads: a chunk is used up before the next read. */
const shared = Buffer.allocUnsafeSlow(65_536)

/** A text frame of a client, masked as the protocol demands. Those that are sent often can be made once. */
export function textFrame(text) {
  const length = Buffer.byteLength(text)
  const head = length < 126 ? 2 : 4
  if (length > 65_535) throw new RangeError(`expected at most 65535 bytes to send, got ${length}`)
  const frame = Buffer.allocUnsafe(head + 4 + length)
  frame[0] = 0x81
  if (head === 2) frame[1] = 0x80 | length
  else {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(length, 2)
  }
  MASK.copy(frame, head)
  frame.write(text, head + 4)
  for (let i = 0; i < length; i += 1) frame[head + 4 + i] ^= MASK[i & 3]
  return frame
}

/**
 * As much of a WebSocket client as a load needs, so that it costs far less than the server that is measured: frames are
 * cut out of the stream and handed over as bytes, and nothing is parsed, copied or allocated that need not be.
 */
export class WebSocketClient {
  /** Called with each message as (client, buffer, start, end); the bytes are good for the length of the call. */
  /** @type {(client: WebSocketClient, bytes: Buffer, start: number, end: number) => void} */
  onMessage = ignore
  /** @type {(client: WebSocketClient) => void} */
  onClose = ignore
  /** The topic that the load has it join. */
  room = ""
  /** What the server closed with, or how it refused. */
  code = BROKEN
  refusal
  #socket
  #onOpen
  #open = false
  /** The beginning of a head that came without its end. */
  #rest
  /** A frame that came in parts. */
  #frame
  #filled = 0

  constructor(port, path, onOpen) {
    this.#onOpen = onOpen
    const callback = (size, buffer) => {
      this.#receive(buffer.subarray(0, size))
      return true
    }
    // No source address is given: binding one first has the kernel search its ports, which takes longer with each taken.
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true, onread: { buffer: shared, callback } })
    this.#socket.on("close", () => this.onClose(this)).on("error", ignore)
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
    )
  }

  /** Sends what `textFrame` made. */
  send(frame) {
    this.#socket.write(frame)
  }

  #receive(chunk) {
    let bytes = chunk
    if (this.#frame !== undefined) {
      const copied = bytes.copy(this.#frame, this.#filled)
      this.#filled += copied
      if (this.#filled < this.#frame.length) return
      const frame = this.#frame
      this.#frame = undefined
      this.#deliver(frame, 0, frame.length)
      bytes = bytes.subarray(copied)
    }
    if (this.#rest !== undefined) {
      bytes = Buffer.concat([this.#rest, bytes])
      this.#rest = undefined
    }
    this.#chunksOf(bytes, this.#open ? 0 : this.#upgraded(bytes))
  }

  #chunksOf(bytes, from) {
    for (let start = from; start < bytes.length;) {
      const size = sizeOf(bytes, start)
      if (size === undefined) {
        this.#rest = Buffer.from(bytes.subarray(start))
        return
      }
      const end = start + size
      if (end > bytes.length) {
        this.#frame = Buffer.allocUnsafe(size)
        this.#filled = bytes.copy(this.#frame, 0, start)
        return
      }
      this.#deliver(bytes, start, end)
      start = end
    }
  }

  #deliver(bytes, start, end) {
    const opcode = bytes[start] & 0x0f
    if (opcode === CLOSE) {
      if (end - start >= 4) this.code = bytes.readUInt16BE(start + 2)
      this.#socket.end(CLOSED)
    }
    // Pongs are of no interest.
    if (opcode > 2) return
    const short = bytes[start + 1]
    this.onMessage(this, bytes, start + (short < 126 ? 2 : short === 126 ? 4 : 10), end)
  }

  /** Where the frames begin in what the handshake was answered with. */
  #upgraded(bytes) {
    const end = bytes.indexOf("\r\n\r\n")
    if (end < 0) {
      this.#rest = Buffer.from(bytes)
      return bytes.length
    }
    if (!bytes.subarray(0, 12).equals(SWITCHING)) {
      this.refusal = bytes.toString("latin1")
      this.#socket.destroy()
      return bytes.length
    }
    this.#open = true
    this.#onOpen(this)
    return end + 4
  }
}

const CLOSE = 8
/** An empty close, masked: what it answers is answered. */
const CLOSED = Buffer.concat([Buffer.from([0x80 | CLOSE, 0x80]), MASK])
/** The code of a connection that ends without a word. */
const BROKEN = 1006

const SWITCHING = Buffer.from("HTTP/1.1 101")

/** The whole size of the server's frame that starts here, or `undefined` when not even its head is there. */
function sizeOf(bytes, start) {
  const there = bytes.length - start
  if (there < 2) return undefined
  const short = bytes[start + 1]
  if (short < 126) return 2 + short
  if (short === 126) return there < 4 ? undefined : 4 + bytes.readUInt16BE(start + 2)
  return there < 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(start + 2))
}

function ignore() {}
