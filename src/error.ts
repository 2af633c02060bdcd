/**
 * What every room throws or reports: an `Error` with a stable `code` to branch on.
 *
 * `message` says what was expected and what came; `reason` carries what the other side said, as it said it.
 */
export class RollcallError extends Error {
  override readonly name: string = "RollcallError"
  /** Stable, in snake_case: safe to compare with, unlike `message`. */
  declare readonly code: string
  /** What the other side gave as its reason, as it came; `undefined` when there is none. */
  declare readonly reason: unknown

  constructor(code: string, message: string, details?: { reason?: unknown; cause?: unknown }) {
    super(message, details)
    this.code = code
    this.reason = details?.reason
  }
}

/** An option or an argument that cannot work, thrown where it is given: `code` is `"config"`. */
export class ConfigError extends RollcallError {
  override readonly name = "ConfigError"

  constructor(message: string, details: { cause?: unknown } = {}) {
    super("config", message, details)
  }
}

/** What a value is, for a message that says what came: its kind, and nothing of what is in it. */
export function kindOf(value: unknown): string {
  if (value === null) return "null"
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Uint8Array) return "bytes"
  return typeof value === "object" ? "an object" : `a ${typeof value}`
}
