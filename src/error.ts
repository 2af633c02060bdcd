/**
 * The base class of all errors that this package throws or reports: an `Error` with a stable `code`.
 *
 * `message` names what was expected and what came. `reason` is the reason that the other side gave, unchanged.
 */
export class RollcallError extends Error {
  override readonly name: string = "RollcallError"
  /** The kind of the error, in snake_case. It is stable; `message` is not, so compare with `code`. */
  declare readonly code: string
  /** The reason that the other side gave, unchanged; `undefined` if there is none. */
  declare readonly reason: unknown

  constructor(code: string, message: string, details?: { reason?: unknown; cause?: unknown }) {
    super(message, details)
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
