import { RollcallError } from "../../error.ts"
import { isObject } from "../../json.ts"

/** The reason for refusing a page of an origin that is not allowed. */
export const ORIGIN = "origin"
/** The reason for refusing a version of the protocol that no serializer speaks. */
export const VERSION = "version"
/** The reason for a refusal without another one. */
export const UNSPECIFIED = "refused"

/**
 * Returns the reason of a refusal by `connect`, as the client and the counters get it: the text that `connect` returned as
 * `{ error }` or `{ error: { reason } }`, or the code of a RollcallError that it threw, such as `token_expired`. Everything else
 * is `refused`: the message of an error may contain what is not for clients.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof RollcallError)) return UNSPECIFIED
  if (error.code !== UNSPECIFIED) return error.code
  const reason = isObject(error.reason) ? error.reason["reason"] : error.reason
  return typeof reason === "string" && reason !== "" ? reason : UNSPECIFIED
}
