/** The line of a tab to the tab that leads: the transport of its connection. */
import { ABNORMAL, NORMAL, REFUSED } from "../../wire/close-codes.ts"
import { HEARTBEAT_TOPIC } from "../../wire/events.ts"
import { SERVER_INFO } from "../../wire/introduction.ts"
import type { Message, Transport } from "../phoenix.ts"
import { BYE, FRAME, HELLO } from "./messages.ts"

const CONNECTING = 0
export const OPEN = 1
export const CLOSED = 3

/** A line has the interface of a WebSocket, as far as it is used. The user adds the callbacks. */
export interface Line {
  readyState: number
  onopen(): void
  onmessage(event: { data: unknown }): void
  onclose(event: { code: number }): void
  send(frame: unknown): void
  close(code?: number): void
}

/** Returns the transport. @param send sends to the leader by `line`, which is the present one from its first message on */
export function createTransport(send: (line: Line, kind: number, data?: unknown) => void): Transport {
  function Transport(): Line {
    const line = {
      readyState: CONNECTING,
      send: (frame: unknown) => send(line, FRAME, frame),
      // Later, as a WebSocket does it.
      close: () =>
        queueMicrotask(() => {
          send(line, BYE)
          end(line, NORMAL)
        }),
    } as Line
    send(line, HELLO)
    return line
  }
  /** A long poll would not help, and be a connection of its own. */
  Transport.isFinal = true
  return Transport as unknown as Transport
}

/** Opens a line that waits for it. Returns whether it did. @param info the `ServerInfo` of the server */
export function open(line: Line | undefined, info: unknown): boolean {
  if (line?.readyState !== CONNECTING) return false
  line.readyState = OPEN
  line.onopen()
  if (info) {
    const message: Message = { join_ref: null, ref: null, topic: HEARTBEAT_TOPIC, event: SERVER_INFO, payload: info }
    line.onmessage({ data: message })
  }
  return true
}

/** Closes a line that is open. One that waits is closed if the server refuses the connection. */
export function lose(line: Line | undefined, refused?: unknown): void {
  // As the server does it.
  if (refused) open(line, { refused })
  if (line?.readyState === OPEN) end(line, refused ? REFUSED : ABNORMAL)
}

function end(line: Line, code: number): void {
  if (line.readyState === CLOSED) return
  line.readyState = CLOSED
  line.onclose({ code })
}
