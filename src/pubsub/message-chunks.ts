/**
 * A frame that exceeds the engine's maximum message size is cut into chunks, and assembled again on arrival.
 *
 * A chunk is `'P'`, the version, the length of the sender's name (one byte), its index and the number of chunks (four
 * bytes each), the sender's name as UTF-16, and the bytes.
 *
 * The engine keeps the order of each sender, and a sender writes all chunks of a frame without a message in between. So
 * the chunks of a frame arrive one after another: one unfinished frame for each sender is enough, and a gap means that
 * a chunk was lost.
 */
const MAGIC = 0x50
const VERSION = 1
const FIXED_HEADER_SIZE = 11

/** Returns whether a message is a chunk, as opposed to a whole envelope. */
export function isChunk(message: Buffer): boolean {
  return message[0] === MAGIC
}

/** Cuts a frame into chunks of at most `maxSize` bytes each, headers included. */
export function* chunksOf(frame: Buffer, from: string, maxSize: number): Generator<Buffer> {
  const headerSize = FIXED_HEADER_SIZE + 2 * from.length
  const room = maxSize - headerSize
  const count = Math.ceil(frame.length / room)
  for (let index = 0; index < count; index += 1) {
    const header = Buffer.allocUnsafe(headerSize)
    header[0] = MAGIC
    header[1] = VERSION
    header[2] = from.length
    header.writeUInt32BE(index, 3)
    header.writeUInt32BE(count, 7)
    header.write(from, FIXED_HEADER_SIZE, "utf16le")
    yield Buffer.concat([header, frame.subarray(index * room, (index + 1) * room)])
  }
}

interface UnfinishedFrame {
  readonly chunks: Buffer[]
  readonly count: number
  size: number
}

/** Assembles frames from chunks. It buffers at most `maxBytes` for all senders; beyond that it drops the oldest frame. */
export class ChunkAssembler {
  readonly #maxBytes: number
  readonly #onIncomplete: () => void
  /** By sender, in the order of the first chunks. */
  readonly #unfinished = new Map<string, UnfinishedFrame>()
  #bufferedBytes = 0

  /** @param onIncomplete called for each frame that is dropped, and for each chunk that belongs to no frame */
  constructor(maxBytes: number, onIncomplete: () => void) {
    this.#maxBytes = maxBytes
    this.#onIncomplete = onIncomplete
  }

  /** Adds a chunk. Returns the frame if this chunk completes it. */
  add(message: Buffer): Buffer | undefined {
    const chunk = decodeChunk(message)
    if (chunk === undefined) return this.#incomplete()
    if (chunk.index === 0) {
      this.#drop(chunk.from)
      this.#unfinished.set(chunk.from, { chunks: [], count: chunk.count, size: 0 })
    }
    const frame = this.#unfinished.get(chunk.from)
    if (frame === undefined) return this.#incomplete()
    if (frame.chunks.length !== chunk.index || frame.count !== chunk.count) return this.#drop(chunk.from)
    frame.chunks.push(chunk.bytes)
    frame.size += chunk.bytes.length
    this.#bufferedBytes += chunk.bytes.length
    if (frame.chunks.length === frame.count) {
      this.#remove(chunk.from, frame)
      return Buffer.concat(frame.chunks)
    }
    while (this.#bufferedBytes > this.#maxBytes) this.#drop(this.#unfinished.keys().next().value!)
    return undefined
  }

  #drop(from: string): undefined {
    const frame = this.#unfinished.get(from)
    if (frame === undefined) return
    this.#remove(from, frame)
    this.#incomplete()
  }

  #remove(from: string, frame: UnfinishedFrame): void {
    this.#unfinished.delete(from)
    this.#bufferedBytes -= frame.size
  }

  #incomplete(): undefined {
    this.#onIncomplete()
  }
}

function decodeChunk(message: Buffer): { from: string; index: number; count: number; bytes: Buffer } | undefined {
  if (message.length < FIXED_HEADER_SIZE || message[1] !== VERSION) return undefined
  const start = FIXED_HEADER_SIZE + 2 * message[2]!
  const index = message.readUInt32BE(3)
  const count = message.readUInt32BE(7)
  if (message.length <= start || index >= count) return undefined
  return { from: message.toString("utf16le", FIXED_HEADER_SIZE, start), index, count, bytes: message.subarray(start) }
}
