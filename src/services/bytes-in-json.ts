/** How many characters one call of `String.fromCharCode` gets: the stack is limited. */
const CHUNK = 8_192

/**
 * Writes bytes into JSON, as base64. Without it, oRPC's JSON would write them as an object with a field for each byte, and
 * the other side would get that object.
 */
export const BYTES = {
  type: 64,
  condition: (value: unknown): boolean => value instanceof Uint8Array,
  serialize(bytes: Uint8Array): string {
    let text = ""
    for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
    return btoa(text)
  },
  deserialize(text: unknown): Uint8Array {
    if (typeof text !== "string") throw new TypeError(`expected bytes as base64, got a ${typeof text}`)
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  },
}
