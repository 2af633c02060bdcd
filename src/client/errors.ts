import { RollcallError } from "../error.ts"

/** The code of the error, and of the reason, if the application's params or token cannot be sent. */
export const PARAMS_FAILED = "params_failed"

/** Returns the error for params or a token that cannot be sent. */
export const paramsError = (of: string, cause: unknown): RollcallError =>
  new RollcallError(PARAMS_FAILED, `params of ${of}: ${String(cause)}`, { cause })

/**
 * The error for a join that the server refused. `code` is `"join_rejected"`, and `reason` is the server's response,
 * unchanged.
 */
export class JoinRejected extends RollcallError {
  override readonly name = "JoinRejected"

  constructor(topic: string, reason: unknown) {
    super("join_rejected", `the server refused the join of ${topic}: ${reasonText(reason)}`, { reason })
  }
}

/**
 * Returns the server's reason as text for an error message: the `reason` of `{ reason: "…" }`, with the `field` and the `message` that
 * Rollcall's server adds, else the JSON of the response.
 */
export function reasonText(response: unknown): string {
  const { reason, field, message } = Object(response) as Record<string, unknown>
  if (typeof reason === "string") return [reason, field, message].filter(Boolean).join(": ")
  try {
    return JSON.stringify(response)
  } catch {
    // A serializer other than JSON's may decode values that JSON cannot write, such as a BigInt.
    return String(response)
  }
}
