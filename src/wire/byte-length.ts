import type { Data } from "./message.ts"

const utf8 = new TextEncoder()
/** Encoded text is thrown away: only its length is of interest. */
const scratch = new Uint8Array(16_384)

/** Returns the length of a frame in bytes. Text counts as UTF-8, in which a character has one to four. */
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
