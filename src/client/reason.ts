/** Why a room is not live. */
import type { PARAMS_FAILED } from "./errors.ts"

/**
 * Why a room is not live. `detail` is what the server or the transport gave as its reason, as it came.
 *
 * - `disconnected`: the connection broke. It reconnects by itself.
 * - `crashed`: the channel crashed on the server. It is joined again.
 * - `timeout`: the join was not answered. It is tried again.
 * - `refused`: the server refuses the connection. Final if the connection's `onRefused` is `"stop"`.
 * - `params_failed`: the room's params could not be sent. The join is tried again.
 * - `unavailable`: the server could not accept the join at this moment. It is tried again.
 * - `left`: we left. Final, as are the next two.
 * - `kicked`: the server closed the channel.
 * - `rejected`: the server refused the join.
 */
export type Reason = {
  readonly code:
    | "disconnected"
    | "refused"
    | "crashed"
    | "timeout"
    | typeof PARAMS_FAILED
    | "unavailable"
    | "left"
    | "kicked"
    | "rejected"
  readonly detail?: unknown
}

/** Returns the reason that the connection gives for the end of a channel; `undefined` if the server has ended it. */
export const connectionReason = (given: unknown): Reason | undefined => {
  // phoenix.js gives a `reason`, and the connection a reason of ours.
  const {
    source,
    reason,
    code = "disconnected",
    detail = reason,
  } = Object(given) as Partial<Reason> & Record<string, unknown>
  return source === "transport" ? { code, detail } : undefined
}
