import { RollcallError } from "../error.ts"

/** Text that may hold what `JSON.parse` lets through and the protocol does not: only then is the value looked at. */
const SUSPECT = /\\u[dD][89a-fA-F]|[eE]\+?\d{3}|\d{300}/

/**
 * Parses JSON as strictly as the servers of this protocol do: a number that overflows and half of a surrogate pair
 * are refused, since the one could not be sent on as JSON and the other not as UTF-8.
 *
 * @throws RollcallError `bad_frame`
 */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Without its cause, which quotes what was sent.
    throw new RollcallError("bad_frame", `expected JSON, got ${text.length} characters that are not`)
  }
  if (SUSPECT.test(text)) refuseUnsayable(value)
  return value
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** @throws RollcallError `bad_frame` for bytes that are not UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new RollcallError("bad_frame", "expected text in UTF-8", { cause })
  }
}

/**
 * Whether a parsed value can be said again: what is nested too deep cannot, though it could be read. Only values that
 * are echoed need to be asked about.
 */
export function echoable(value: unknown): boolean {
  if (typeof value !== "object") return true
  try {
    JSON.stringify(value)
    return true
  } catch {
    return false
  }
}

/** Walks without recursion: the nesting is the client's to choose. */
function refuseUnsayable(root: unknown): void {
  const rest: unknown[] = [root]
  while (rest.length > 0) {
    const value = rest.pop()
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new RollcallError("bad_frame", "expected numbers that fit a double, got one that overflows")
    }
    if (typeof value === "string" && LONE_SURROGATE.test(value)) {
      throw new RollcallError("bad_frame", "expected Unicode text, got half of a surrogate pair")
    }
    if (typeof value === "object" && value !== null) {
      for (const [key, inner] of Object.entries(value)) rest.push(key, inner)
    }
  }
}

/** With the `u` flag a proper pair is one character, so only a half that stands alone matches. */
const LONE_SURROGATE = /\p{Surrogate}/u
