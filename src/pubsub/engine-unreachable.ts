import { RollcallError } from "../error.ts"
import { textOf } from "./engine-refusals.ts"

/**
 * Returns the error for a failed first connection to an engine: `RollcallError` `engine_unreachable`.
 *
 * The message leaves out the address, which may contain a password.
 */
export function engineUnreachable(engine: string, cause: unknown): RollcallError {
  const reason = textOf(cause)
  const message = `expected a ${engine} server that accepts this node, got: ${reason}; check its address and permissions`
  return new RollcallError("engine_unreachable", message, { reason, cause })
}
