import { connect } from "node:net"
import { connect as connectSecurely } from "node:tls"
import { constants, deflateRawSync } from "node:zlib"

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
/** Servers answer with a hash of this key. The answer is not checked here, so all connections use the same key. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ=="

/** One read buffer for all sockets. Each chunk is processed before the next read. */
const shared = Buffer.allocUnsafeSlow(65_536)

/** The header that offers to compress. */
const OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"

/** Returns a masked text frame, compressed on request. A frame that is sent often can be made once and reused. */
export function textFrame(text, isCompressed = false) {
  const plain = Buffer.from(text)
  // Without the end that the receiver adds (RFC 7692, 7.2.1).
  const payload = isCompressed ? deflateRawSync(plain, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4) : plain
  const { length } = payload
  const head = length < 126 ? 2 : 4
  if (length > 65_535) throw new RangeError(`expected a text of at most 65535 bytes, got ${length}`)
  const frame = Buffer.allocUnsafe(head + 4 + length)
  frame[0] = isCompressed ? 0xc1 : 0x81
  if (head === 2) frame[1] = 0x80 | length
  else {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(length, 2)
  }
  MASK.copy(frame, head)
  payload.copy(frame, head + 4)
  for (let i = 0; i < length; i += 1) frame[head + 4 + i] ^= MASK[i & 3]
  return frame
}

/**
 * A minimal WebSocket client for load. It must cost far less than the measured server, so it passes frames on as ranges of the
 * read buffer, and parses, copies and allocates as little as possible.
 */
export class WebSocketClient {
  /**
   * Called with each message as (client, buffer, start, end). The bytes are valid only during the call.
   *
   * @type {(client: WebSocketClient, bytes: Buffer, start: number, end: number) => void}
   */
  onMessage = ignore
  /** @type {(client: WebSocketClient) => void} */
  onClose = ignore
  /** The topic that the load generator lets the client join. */
  room = ""
  /** The close code, or 1006. `refusal` is the HTTP answer if the server refused the handshake. */
  code = BROKEN
  refusal
  #socket
  #onOpen
  #isOpen = false
  /** An incomplete frame head. */
  #partialHead
  /** A frame that has not arrived completely, and how many of its bytes have. */
  #partialFrame
  #filled = 0

  /**
   * @param kind `offers`: whether to offer `permessage-deflate`; what comes compressed is passed on as it is. `isSecure`: whether to
   * connect by TLS
   */
  constructor(port, path, onOpen, { offers = false, isSecure = false } = {}) {
    this.#onOpen = onOpen
    const callback = (size, buffer) => {
      this.#receive(buffer.subarray(0, size))
      return true
    }
    // No source address is set. If it were, the kernel would search for a free port, which takes longer with each used port.
    const target = { host: "127.0.0.1", port, noDelay: true }
    if (isSecure) {
      const trusting = { ...target, rejectUnauthorized: false }
      this.#socket = connectSecurely(trusting).on("data", (chunk) => this.#receive(chunk))
    } else this.#socket = connect({ ...target, onread: { buffer: shared, callback } })
    this.#socket.on("close", () => this.onClose(this)).on("error", ignore)
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${offers ? OFFER : ""}\r\n`,
    )
  }

  /** Sends a frame that `textFrame` returned. */
  send(frame) {
    this.#socket.write(frame)
  }

  #receive(chunk) {
    let bytes = chunk
    if (this.#partialFrame !== undefined) {
      const copied = bytes.copy(this.#partialFrame, this.#filled)
      this.#filled += copied
      if (this.#filled < this.#partialFrame.length) return
      const frame = this.#partialFrame
      this.#partialFrame = undefined
      this.#deliver(frame, 0, frame.length)
      bytes = bytes.subarray(copied)
    }
    if (this.#partialHead !== undefined) {
      bytes = Buffer.concat([this.#partialHead, bytes])
      this.#partialHead = undefined
    }
    this.#readFrames(bytes, this.#isOpen ? 0 : this.#readHandshake(bytes))
  }

  #readFrames(bytes, from) {
    for (let start = from; start < bytes.length;) {
      const size = sizeOf(bytes, start)
      if (size === undefined) {
        this.#partialHead = Buffer.from(bytes.subarray(start))
        return
      }
      const end = start + size
      if (end > bytes.length) {
        this.#partialFrame = Buffer.allocUnsafe(size)
        this.#filled = bytes.copy(this.#partialFrame, 0, start)
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
      this.#socket.end(CLOSE_FRAME)
    }
    // Pings and pongs are ignored.
    if (opcode > 2) return
    const short = bytes[start + 1]
    this.onMessage(this, bytes, start + (short < 126 ? 2 : short === 126 ? 4 : 10), end)
  }

  /** Reads the answer to the handshake, and returns the position of the first frame behind it. */
  #readHandshake(bytes) {
    const end = bytes.indexOf("\r\n\r\n")
    if (end < 0) {
      this.#partialHead = Buffer.from(bytes)
      return bytes.length
    }
    if (!bytes.subarray(0, 12).equals(SWITCHING)) {
      this.refusal = bytes.toString("latin1")
      this.#socket.destroy()
      return bytes.length
    }
    this.#isOpen = true
    this.#onOpen(this)
    return end + 4
  }
}

const CLOSE = 8
/** A masked close frame without a code, which answers the one of the server. */
const CLOSE_FRAME = Buffer.concat([Buffer.from([0x80 | CLOSE, 0x80]), MASK])
/** The code of a connection that ends without a close frame. */
const BROKEN = 1006

const SWITCHING = Buffer.from("HTTP/1.1 101")

/** Returns the size of the server's frame at `start`, with its head, or `undefined` when the head is incomplete. */
function sizeOf(bytes, start) {
  const available = bytes.length - start
  if (available < 2) return undefined
  const short = bytes[start + 1]
  if (short < 126) return 2 + short
  if (short === 126) return available < 4 ? undefined : 4 + bytes.readUInt16BE(start + 2)
  return available < 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(start + 2))
}

function ignore() {}
