import { RollcallError } from "../error.ts"

/**
 * Matches text that may contain a value that `JSON.parse` accepts and the protocol does not. Only then is the parsed value
 * checked. The 210 digits are for a long number with a short exponent: followed by `e99`, it overflows.
 */
const SUSPECT = /\\u[dD][89a-fA-F]|[eE]\+?\d{3}|(?<!\d)\d{210}/
/** The same for texts that are too short for so many digits: nearly all. It takes less than half of the time. */
const SUSPECT_SHORT = /\\u[dD][89a-fA-F]|[eE]\+?\d{3}/

/**
 * The greatest depth of an accepted message. `JSON.stringify` fails at some thousand levels, so a deeper payload could
 * not be sent on.
 */
const MAX_NESTING = 1_000

/**
 * Parses JSON as strictly as Phoenix does. It refuses values that could not be sent on: a number that overflows has no form
 * in JSON, half of a surrogate pair has none in UTF-8, and nesting of more than 1000 levels may make `JSON.stringify` fail.
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
    // The cause is left out, because its message quotes the client's text.
    throw new RollcallError("bad_frame", `expected JSON, got ${text.length} characters that are not JSON`)
  }
  if ((text.length < 210 ? SUSPECT_SHORT : SUSPECT).test(text)) refuseUnencodable(value)
  return value
}

/**
 * Returns whether the brackets outside of strings are nested too deeply. Text that is not JSON may pass here; the
 * parser refuses it afterwards.
 */
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

/**
 * Returns the index of the closing quote of the string that starts at `start`, or the text's length when it has none.
 */
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

/** Decodes UTF-8. @throws RollcallError `bad_frame` for other bytes */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new RollcallError("bad_frame", "expected text in UTF-8, got other bytes", { cause })
  }
}

/**
 * Throws for a value that cannot be sent on. It does not recurse, because the client determines the depth of the value.
 */
function refuseUnencodable(root: unknown): void {
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

/** Half of a surrogate pair. With the `u` flag a whole pair is one character, so only a lone half matches. */
const LONE_SURROGATE = /\p{Surrogate}/u
