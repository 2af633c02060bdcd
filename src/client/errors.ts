import { RollcallError } from "../error.ts"

/** The server refused the join: `code` is `"join_rejected"`, and `reason` is its response as it came. */
export class JoinRejected extends RollcallError {
  override readonly name = "JoinRejected"

  constructor(topic: string, reason: unknown) {
    super("join_rejected", `the server refused to let us join ${topic}: ${JSON.stringify(reason)}`, { reason })
  }
}
