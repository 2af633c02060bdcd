import { RollcallError } from "../error.ts"

/**
 * Why the first connection to an engine failed: `RollcallError` `engine_unreachable`.
 * The address stays out of the message, since it may hold a password.
 */
export function unreachable(engine: string, cause: unknown): RollcallError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new RollcallError("engine_unreachable", `A ${engine} server was expected to answer; instead: ${said}`, {
    cause,
  })
}
