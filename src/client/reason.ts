/** Why a room is not live. */
import type { PARAMS_FAILED } from "./errors.ts"

/**
 * Why a room is not live. `detail` is the reason that the server or the transport gave, unchanged.
 *
 * - `disconnected`: the connection broke, and reconnects by itself; or two joins of the topic overlapped, and it is joined once more.
 * - `paused`: the connection is paused, until `resume()`.
 * - `refused`: the server refuses the connection. Final if the connection's `onRefused` is `"stop"`.
 * - `no_transport`: no connection can be made here, as on a server that renders a page. `detail` says what is missing.
 * - `crashed`: the channel crashed on the server. It is joined again.
 * - `timeout`: the server did not answer the join. It is tried again.
 * - `params_failed`: the room's params could not be sent. The join is tried again.
 * - `unavailable`: the server could not accept the join at this moment. It is tried again.
 * - `left`: we left. Final, as are the next two.
 * - `kicked`: the server closed the channel.
 * - `rejected`: the server refused the join, or closed the connection twice because of it, or its params are too large to send.
 */
export type Reason = {
  readonly code:
    | "disconnected"
    | "paused"
    | "refused"
    | "no_transport"
    | "crashed"
    | "timeout"
    | typeof PARAMS_FAILED
    | "unavailable"
    | "left"
    | "kicked"
    | "rejected"
  readonly detail?: unknown
}

/** Why a room is stale while it is unknown whether the connection is alive. */
export const OFFLINE: Reason = { code: "disconnected", detail: "offline" }

/** Returns the reason if a channel ended because of its connection; `undefined` if the server has ended the channel. */
export const connectionReason = (given: unknown): Reason | undefined => {
  // phoenix.js gives only a `reason`. A refusal and a pause have a code.
  const {
    source,
    reason,
    code = "disconnected",
    detail = reason,
  } = Object(given) as Partial<Reason> & Record<string, unknown>
  return source === "transport" ? { code, detail } : undefined
}
