/** Where the codes are explained, each under an anchor: a page of the package. A copy with a public site names its address here. */
const CODES_PAGE = "rollcall/docs/troubleshooting.md"

/** Returns the message of an error without the link at its end, for text that is sent to the other side or put into another message. */
export const withoutLink = (message: string): string =>
  message.replace(RegExp(` \\(see ${CODES_PAGE}#[^\\s)]*\\)`, "g"), "")

/**
 * The base class of all errors that this package throws or reports: an `Error` with a stable `code`.
 *
 * `message` names what was expected and what came, and ends with a link to the page that explains the code. `reason` is the reason that
 * the other side gave, unchanged.
 */
export class RollcallError extends Error {
  override readonly name: string = "RollcallError"
  /** The kind of the error, in snake_case. It is stable; `message` is not, so compare with `code`. */
  declare readonly code: string
  /** The reason that the other side gave, unchanged; `undefined` if there is none. */
  declare readonly reason: unknown

  constructor(code: string, message: string, details?: { reason?: unknown; cause?: unknown }) {
    // A message that quotes another error has one link, its own.
    super(`${withoutLink(message)} (see ${CODES_PAGE}#${code})`, details)
    this.code = code
    this.reason = details?.reason
  }
}

/** The error for an invalid option or argument, thrown by the call that received it. `code` is `"config"`. */
export class ConfigError extends RollcallError {
  override readonly name = "ConfigError"

  constructor(message: string, details: { cause?: unknown } = {}) {
    super("config", message, details)
  }
}

/**
 * Returns the kind of a value for an error message, such as "an array of 3". The message does not show the value's
 * content.
 */
export function kindOf(value: unknown): string {
  if (value === null) return "null"
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Uint8Array) return "bytes"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
