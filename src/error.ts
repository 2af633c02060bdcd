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
