import { constants, deflateRawSync } from "node:zlib"
import type { Frame, SharedText } from "../../transport.ts"

/** Texts up to this length are sent as they are: deflating would cost more than it saves. In UTF-16 units. */
const MIN_LENGTH = 4_096

/** The greatest length of a stored block, in bytes. */
const MAX_STORED = 65_535

/** How many clients a text has been sent to, and the deflated text once it is needed. */
interface Shared {
  uses: number
  deflated?: Uint8Array
}

const shared = new WeakMap<object, Shared>()
/** The deflated pieces of texts. A text that changes a little keeps most of its pieces. */
const pieces = new WeakMap<object, Uint8Array>()

/** Returns a text as deflate blocks that need no other ones and end at a whole byte, so that they can be put between others. */
const deflate = (text: string): Uint8Array =>
  deflateRawSync(text, { level: 1, finishFlush: constants.Z_SYNC_FLUSH, windowBits: 15 })

function deflatePiece(piece: { readonly text: string }): Uint8Array {
  const deflated = pieces.get(piece) ?? deflate(piece.text)
  pieces.set(piece, deflated)
  return deflated
}

/** Returns bytes as deflate blocks without compression. */
function stored(bytes: Buffer): Uint8Array {
  const blocks: Uint8Array[] = []
  for (let from = 0; from < bytes.length; from += MAX_STORED) {
    const block = bytes.subarray(from, from + MAX_STORED)
    const head = Buffer.alloc(5)
    head.writeUInt16LE(block.length, 1)
    head.writeUInt16LE(~block.length & 0xffff, 3)
    blocks.push(head, block)
  }
  return Buffer.concat(blocks)
}

/** The first byte of an empty stored block, whose other four bytes the receiver adds (RFC 7692, 7.2.1). */
export const END: Uint8Array = Uint8Array.of(0)

/**
 * Returns the payload of a message of `permessage-deflate`, in chunks, or `undefined` if it must be sent as it is: it is short or
 * binary, or it is sent for the first time, and perhaps the only time.
 *
 * The text that clients share is deflated once. The envelope of each client goes around it, stored.
 */
export function deflatedBody(frame: Frame): readonly Uint8Array[] | undefined {
  const { data, parts } = frame
  const text = parts === undefined ? data : parts[1].text
  if (typeof text !== "string" || text.length <= MIN_LENGTH) return undefined
  const key = parts?.[1] ?? frame
  const known = shared.get(key) ?? { uses: 0 }
  shared.set(key, known)
  known.uses += 1
  if (known.uses < 2) return undefined
  known.deflated ??= parts === undefined ? deflate(text) : deflateShared(parts[1])
  if (parts === undefined) return [known.deflated, END]
  return [stored(Buffer.from(parts[0])), known.deflated, Buffer.concat([stored(Buffer.from(parts[2])), END])]
}

function deflateShared(text: SharedText): Uint8Array {
  return text.pieces === undefined ? deflate(text.text) : Buffer.concat(text.pieces().map(deflatePiece))
}
