/**
 * A checksum of a message's JSON, written as white space behind it (D14).
 *
 * JSON may end with white space, so nodes of releases without checksums read the message as before.
 */

/** The four characters of white space in JSON: space, tab, line feed, carriage return. Each stands for two bits. */
const SYMBOLS: readonly number[] = [0x20, 0x09, 0x0a, 0x0d]
/** The number of symbols of a checksum of 32 bits. */
const LENGTH = 16

const encoder = new TextEncoder()

/** Returns the bytes of a JSON text, with its checksum behind it. */
export function withChecksum(json: string): Uint8Array {
  const text = encoder.encode(json)
  const end = text.length
  const sum = checksumOf(text, end)
  const bytes = new Uint8Array(end + LENGTH)
  bytes.set(text)
  for (let i = 0; i < LENGTH; i += 1) bytes[end + i] = SYMBOLS[(sum >>> (2 * i)) & 3] as number
  return bytes
}

/**
 * Returns whether the bytes of a JSON text are those that were sent. A text without a checksum is accepted, as it may come from
 * an older release; a text with a part of a checksum is not.
 */
export function isUnaltered(bytes: Uint8Array): boolean {
  let end = bytes.length
  while (end > 0 && SYMBOLS.includes(bytes[end - 1] as number)) end -= 1
  if (end === bytes.length) return true
  if (bytes.length - end !== LENGTH) return false
  const sum = checksumOf(bytes, end)
  for (let i = 0; i < LENGTH; i += 1) if (bytes[end + i] !== SYMBOLS[(sum >>> (2 * i)) & 3]) return false
  return true
}

/** Returns the FNV-1a hash of the first `end` bytes. A change of a single byte always changes it. */
function checksumOf(bytes: Uint8Array, end: number): number {
  let sum = 0x811c9dc5
  for (let i = 0; i < end; i += 1) sum = Math.imul(sum ^ (bytes[i] as number), 0x01000193)
  return sum >>> 0
}
