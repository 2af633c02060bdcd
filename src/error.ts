/**
 * The base class of all errors that this package throws or reports: an `Error` with a stable `code`.
 *
 * `message` says what was expected and what came. `reason` is the other side's reason, as it came.
 */
export class RollcallError extends Error {
  override readonly name: string = "RollcallError"
  /** The kind of the error, in snake_case. It is stable; `message` is not, so compare with `code`. */
  declare readonly code: string
  /** The other side's reason, as it came; `undefined` if there is none. */
  declare readonly reason: unknown

  constructor(code: string, message: string, details?: { reason?: unknown; cause?: unknown }) {
    super(message, details)
    this.code = code
    this.reason = details?.reason
  }
}

/** An invalid option or argument, thrown by the call that got it. `code` is `"config"`. */
export class ConfigError extends RollcallError {
  override readonly name = "ConfigError"

  constructor(message: string, details: { cause?: unknown } = {}) {
    super("config", message, details)
  }
}

/** Describes a value for a message by its kind only, so that the message has none of its content. */
export function kindOf(value: unknown): string {
  if (value === null) return "null"
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Uint8Array) return "bytes"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
