import { RollcallError } from "../error.ts"

/** The code of an error about params or a token that the application gives for an attempt, and of the reason that follows. */
export const PARAMS_FAILED = "params_failed"

/** Returns the error about params or a token of which the application gave nothing that can be sent. */
export const paramsError = (of: string, cause: unknown): RollcallError =>
  new RollcallError(PARAMS_FAILED, `params of ${of}: ${String(cause)}`, { cause })

/** The server refused the join. `code` is `"join_rejected"`, and `reason` is the server's response as it came. */
export class JoinRejected extends RollcallError {
  override readonly name = "JoinRejected"

  constructor(topic: string, reason: unknown) {
    super("join_rejected", `the server refused the join of ${topic}: ${reasonText(reason)}`, { reason })
  }
}

/** Returns the reason in a response for a message: the text of `{ reason: "…" }`, else the JSON of the response. */
export function reasonText(response: unknown): string {
  const { reason } = Object(response) as { reason?: unknown }
  if (typeof reason === "string") return reason
  try {
    return JSON.stringify(response)
  } catch {
    // A serializer other than JSON's may decode values that JSON cannot write, such as a BigInt.
    return String(response)
  }
}
