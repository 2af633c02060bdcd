/**
 * Large frames over an engine that limits the size of a message: cut into parts, put together again on arrival.
 *
 * A part is `'P'`, the version, the length of the sender's name, its number and the number of all parts (four bytes
 * each), the name, the bytes. The engine keeps a sender's order, and a frame's parts are sent in one go, so that they
 * arrive one after the other or not at all: one place for each sender is enough, and a gap ends its frame.
 */
const MAGIC = 0x50
const VERSION = 1
const FIXED = 11

/** Whether a message is a part rather than a whole envelope. */
export function isChunk(message: Buffer): boolean {
  return message[0] === MAGIC
}

/** Cuts a frame into messages of at most `max` bytes. */
export function* chunksOf(frame: Buffer, from: string, max: number): Generator<Buffer> {
  const room = max - FIXED - 2 * from.length
  const count = Math.ceil(frame.length / room)
  for (let index = 0; index < count; index += 1) {
    const header = Buffer.allocUnsafe(FIXED + 2 * from.length)
    header[0] = MAGIC
    header[1] = VERSION
    header[2] = from.length
    header.writeUInt32BE(index, 3)
    header.writeUInt32BE(count, 7)
    header.write(from, FIXED, "utf16le")
    yield Buffer.concat([header, frame.subarray(index * room, (index + 1) * room)])
  }
}

interface Unfinished {
  readonly parts: Buffer[]
  readonly count: number
  size: number
}

/** Frames on their way in, of all senders together at most `maxBytes`; the one that waits longest goes first. */
export class ChunkAssembler {
  readonly #maxBytes: number
  readonly #onIncomplete: () => void
  /** By sender, in the order of their first parts. */
  readonly #unfinished = new Map<string, Unfinished>()
  #size = 0

  constructor(maxBytes: number, onIncomplete: () => void) {
    this.#maxBytes = maxBytes
    this.#onIncomplete = onIncomplete
  }

  /** Takes one part, and returns the frame that it completes. */
  add(message: Buffer): Buffer | undefined {
    const part = read(message)
    if (part === undefined) return this.#incomplete()
    if (part.index === 0) {
      this.#abandon(part.from)
      this.#unfinished.set(part.from, { parts: [], count: part.count, size: 0 })
    }
    const frame = this.#unfinished.get(part.from)
    if (frame === undefined) return this.#incomplete()
    if (frame.parts.length !== part.index || frame.count !== part.count) return this.#abandon(part.from)
    frame.parts.push(part.bytes)
    frame.size += part.bytes.length
    this.#size += part.bytes.length
    if (frame.parts.length === frame.count) {
      this.#forget(part.from, frame)
      return Buffer.concat(frame.parts)
    }
    while (this.#size > this.#maxBytes) this.#abandon(this.#unfinished.keys().next().value!)
    return undefined
  }

  #abandon(from: string): undefined {
    const frame = this.#unfinished.get(from)
    if (frame === undefined) return
    this.#forget(from, frame)
    this.#incomplete()
  }

  #forget(from: string, frame: Unfinished): void {
    this.#unfinished.delete(from)
    this.#size -= frame.size
  }

  #incomplete(): undefined {
    this.#onIncomplete()
  }
}

function read(message: Buffer): { from: string; index: number; count: number; bytes: Buffer } | undefined {
  if (message.length < FIXED || message[1] !== VERSION) return undefined
  const start = FIXED + 2 * message[2]!
  const index = message.readUInt32BE(3)
  const count = message.readUInt32BE(7)
  if (message.length <= start || index >= count) return undefined
  return { from: message.toString("utf16le", FIXED, start), index, count, bytes: message.subarray(start) }
}
