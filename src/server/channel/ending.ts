import { ConfigError, kindOf } from "../../error.ts"
import { Payload } from "../../wire/payload.ts"
import { CHANNEL_CRASH } from "../../wire/refusals.ts"
import type { LeftReason } from "./handlers.ts"

/** How a channel ends with `phx_close`: the reason for `left`, and the payload for the client. */
export interface Ending {
  readonly reason: LeftReason
  readonly payload: Payload
}

export const EMPTY: Payload = Payload.of({})
/** The payload of `phx_error`. */
export const CRASHED: Payload = Payload.of({ reason: CHANNEL_CRASH })

export const LEFT: Ending = { reason: "left", payload: EMPTY }
export const STOPPED: Ending = { reason: "stopped", payload: EMPTY }

/** Returns the end of a channel that is kicked. @throws ConfigError for a reason that is not a string */
export function kicked(reason: unknown): Ending {
  if (typeof reason === "string") return { reason: "kicked", payload: Payload.of({ reason }) }
  throw new ConfigError(`expected the reason of a kick to be a string, got ${kindOf(reason)}`)
}
