import { isUtf8 } from "node:buffer"
import { Writable } from "node:stream"
import type { WebSocket } from "ws"

/** The stream of `ws` that takes the bytes of a connection, with the part of its state that tells whether it is in a message. */
interface Receiver<Connection> extends Writable {
  readonly _state: number
  readonly _bufferedBytes: number
  readonly _fragmented: number
  connection?: Connection
}

const writeToReceiver: (this: Writable, chunk: Buffer) => boolean = Writable.prototype.write

/** The first byte of a whole text message that is not compressed. */
const WHOLE_TEXT = 0x81
/** The second byte of a masked frame without payload. */
const MASKED = 0x80
/** In place of a length: it follows in two bytes, or in eight. */
const [TWO_BYTES, EIGHT_BYTES] = [126, 127]
const MASK_BYTES = 4
/** The state of a receiver that expects the first byte of a frame. */
const AT_FRAME = 0

/**
 * Returns a function that lets a connection read the usual messages by itself: whole text frames that arrive in one chunk. All other
 * bytes go to the receiver of `ws`, which also judges those that break the protocol. It makes five buffers and a stream's write of
 * each message, which takes as long as all of our own work on a small one.
 *
 * The receiver's state is not in its types. If a later version of `ws` has none of these names, it gets all bytes.
 *
 * @param maxBytes the greatest size of a message
 * @param received called with each message and its size in bytes
 */
export function textReader<Connection extends WebSocket>(
  maxBytes: number,
  received: (connection: Connection, text: string, bytes: number) => void,
): (connection: Connection) => void {
  /** Takes messages from the start of a chunk. Returns the position of the first byte that is left for the receiver. */
  function take(connection: Connection, chunk: Buffer): number {
    let start = 0
    while (chunk[start] === WHOLE_TEXT) {
      let size = (chunk[start + 1] ?? 0) - MASKED
      if (size < 0 || size === EIGHT_BYTES) break
      let from = start + 2 + MASK_BYTES
      if (size === TWO_BYTES) {
        size = ((chunk[start + 2] ?? 0) << 8) | (chunk[start + 3] ?? 0)
        from += 2
      }
      const end = from + size
      if (end > chunk.length || size > maxBytes) break
      const isAscii = applyMask(chunk, from, end) < 0x80
      if (!isAscii && !isUtf8(chunk.subarray(from, end))) {
        applyMask(chunk, from, end)
        break
      }
      start = end
      received(connection, chunk.toString(isAscii ? "latin1" : "utf8", from, end), size)
    }
    return start
  }

  /** Takes the place of the receiver's own `write`. It is one function for all connections, which a closure would make larger. */
  function write(this: Receiver<Connection>, chunk: Buffer): boolean {
    const { connection } = this
    const isAtFrame = this._state === AT_FRAME && this._bufferedBytes === 0 && this._fragmented === 0
    const isIdle = isAtFrame && this.writable && this.writableLength === 0
    const taken = isIdle && connection !== undefined ? take(connection, chunk) : 0
    if (taken === chunk.length) return true
    return writeToReceiver.call(this, taken === 0 ? chunk : chunk.subarray(taken))
  }

  return (connection) => {
    const { _receiver: receiver } = connection as { _receiver?: Receiver<Connection> }
    if (receiver === undefined) return
    receiver.connection = connection
    receiver.write = write
  }
}

/** Removes the mask of a payload, or applies it again. Its four bytes are in front of it. Returns all bytes, combined by `|`. */
function applyMask(chunk: Buffer, from: number, end: number): number {
  const mask = from - MASK_BYTES
  let union = 0
  for (let at = from; at < end; at += 1) {
    const byte = chunk[at]! ^ chunk[mask + ((at - from) & 3)]!
    chunk[at] = byte
    union |= byte
  }
  return union
}
