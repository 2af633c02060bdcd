import { guard } from "../../listeners.ts"
import { REFUSED } from "../../wire/close-codes.ts"
import { HEARTBEAT_TOPIC } from "../../wire/events.ts"
import { SERVER_INFO } from "../../wire/introduction.ts"
import type { ServerInfo } from "../../wire/introduction.ts"
import type { Serializer } from "../../wire/message.ts"
import { Payload } from "../../wire/payload.ts"
import type { Limits } from "../limits.ts"
import type { Frame, Inlet, Outlet } from "../transport.ts"

/** Returns the first message to a client: the server's limits. An infinite limit is left out, since JSON has no form for it. */
export function limitsInfo({ maxFrameBytes, maxFramesPerSecond, pauseAboveFramesPerSecond }: Limits): ServerInfo {
  // A faster client is not read from for a while, and beyond the second limit its connection is closed.
  const perSecond = Math.min(maxFramesPerSecond, pauseAboveFramesPerSecond)
  return {
    limits: {
      ...(Number.isFinite(maxFrameBytes) && { maxMessageBytes: maxFrameBytes }),
      ...(Number.isFinite(perSecond) && { maxMessagesPerSecond: perSecond }),
    },
  }
}

/** Encodes a message about the connection; `undefined` when the client's serializer cannot write it. */
export function infoFrame(serializer: Serializer, info: ServerInfo): Frame | undefined {
  let frame: Frame | undefined
  // A serializer of the application may throw. The client can do without the message, but not without the connection.
  guard(
    () => undefined,
    () => {
      const data = serializer.push(null, HEARTBEAT_TOPIC, SERVER_INFO, Payload.of(info))
      if (data !== undefined) frame = { data }
    },
  )
  return frame
}

/**
 * Sends the reason of a refusal over a connection that was opened only for this, and closes it. Browsers do not show a page why
 * a handshake failed.
 */
export function refuseOver(outlet: Outlet, serializer: Serializer, refused: string): Inlet {
  const frame = infoFrame(serializer, { refused })
  if (frame !== undefined) outlet.send(frame)
  outlet.close(REFUSED)
  return REFUSED_INLET
}

/** The incoming side of a refused connection: it ignores everything. */
const REFUSED_INLET: Inlet = {
  busy: undefined,
  crowded: undefined,
  receive: () => undefined,
  closeInTurn: () => undefined,
  closed: () => undefined,
}
