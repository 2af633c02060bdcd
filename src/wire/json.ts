import { RollcallError } from "../error.ts"

/**
 * Text that may hold what `JSON.parse` lets through and the protocol does not: only then is the value looked at. A number
 * of 210 digits overflows with `e99` behind it.
 */
const SUSPECT = /\\u[dD][89a-fA-F]|[eE]\+?\d{3}|(?<!\d)\d{210}/

/** How deep a message may be nested. `JSON.stringify` gives up at some thousand levels, and then nobody could be told. */
const MAX_NESTING = 1_000

/**
 * Parses JSON as strictly as the servers of this protocol do: a number that overflows and half of a surrogate pair
 * are refused, since the one could not be sent on as JSON and the other not as UTF-8. So is what is nested too deep to be
 * sent on.
 *
 * @throws RollcallError `bad_frame`
 */
export function parseJson(text: string): unknown {
  if (nestsTooDeep(text)) {
    throw new RollcallError("bad_frame", `expected JSON of at most ${MAX_NESTING} levels, got more`)
  }
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

/** Looks at the brackets outside of strings. What is no JSON may pass: it is parsed next. */
function nestsTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_NESTING) return false
  let depth = 0
  for (let i = 0; i < text.length; i += 1) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) i = endOfString(text, i)
    else if (char === OPEN_BRACKET || char === OPEN_BRACE) depth += 1
    else if (char === CLOSE_BRACKET || char === CLOSE_BRACE) depth -= 1
    if (depth > MAX_NESTING) return true
  }
  return false
}

const [QUOTE, BACKSLASH] = [34, 92]
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [91, 93, 123, 125]

/** Where the string that starts at `start` has its closing quote; the text's length when it has none. */
function endOfString(text: string, start: number): number {
  for (let end = start + 1; ; end += 1) {
    end = text.indexOf('"', end)
    if (end < 0) return text.length
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1
    if (escapes % 2 === 0) return end
  }
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
    if (Array.isArray(value)) for (const inner of value as unknown[]) rest.push(inner)
    else if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value)) rest.push(key, (value as Record<string, unknown>)[key])
    }
  }
}

/** With the `u` flag a proper pair is one character, so only a half that stands alone matches. */
const LONE_SURROGATE = /\p{Surrogate}/u
