import type { Data } from "./message.ts"

const utf8 = new TextEncoder()
/** The target of all encoding. Its content is never read, since only the length matters. */
const scratch = new Uint8Array(16_384)

/**
 * Returns the length of a frame in bytes. The length of text is that of its UTF-8 form, with one to four bytes per
 * character.
 */
export function byteLength(data: Data): number {
  if (typeof data !== "string") return data.length
  let bytes = 0
  for (let rest = data; ;) {
    const { read, written } = utf8.encodeInto(rest, scratch)
    bytes += written
    if (read === rest.length) return bytes
    rest = rest.slice(read)
  }
}
