/** The transport of a tab that uses the connection of the leading tab. */
import type { Transport } from "../phoenix.ts"
import { ABNORMAL, NORMAL, REFUSED } from "../../wire/close-codes.ts"
import { HEARTBEAT_TOPIC } from "../../wire/events.ts"
import { SERVER_INFO } from "../../wire/introduction.ts"
import { BYE, FRAME, HELLO, type Frame } from "./messages.ts"

export const CONNECTING = 0
export const OPEN = 1
const CLOSED = 3

/** The interface of a WebSocket, as far as it is used. The user adds the callbacks. */
interface Line {
  readyState: number
  onopen(): void
  onmessage(event: { data: unknown }): void
  onclose(event: { code: number }): void
  send(frame: unknown): void
  close(code?: number): void
}

/** The present line of a tab to the leader. A tab has one at a time. */
export interface Port {
  readonly transport: Transport
  /** `CONNECTING` or `OPEN`; `undefined` without a line. */
  readonly state: number | undefined
  /** The leader is connected. Returns whether this opened a line. @param info the `ServerInfo` of the server */
  open(info: unknown): boolean
  message(frame: Frame): void
  /** Closes the line if it is open, or if the server refuses the connection. */
  lose(refused?: unknown): void
}

/** @param send sends to the leader */
export function createPort(send: (kind: number, data?: unknown) => void): Port {
  let line: Line | undefined

  const end = (ended: Line, code: number): void => {
    if (line === ended) line = undefined
    if (ended.readyState === CLOSED) return
    ended.readyState = CLOSED
    ended.onclose({ code })
  }

  function Transport(): Line {
    const self = {
      readyState: CONNECTING,
      send: (frame: unknown) => line === self && send(FRAME, frame),
      // Later, as a WebSocket does it.
      close: () =>
        queueMicrotask(() => {
          if (line === self) send(BYE)
          end(self, NORMAL)
        }),
    } as Line
    line = self
    send(HELLO)
    return self
  }
  /** A long poll would not help, and be a connection of its own. */
  Transport.isFinal = true

  const port: Port = {
    transport: Transport as unknown as Transport,
    get state() {
      return line?.readyState
    },
    open(info) {
      if (port.state !== CONNECTING) return false
      line!.readyState = OPEN
      line!.onopen()
      if (info) port.message([null, null, HEARTBEAT_TOPIC, SERVER_INFO, info])
      return true
    },
    message(data) {
      if (line?.readyState) line.onmessage({ data })
    },
    lose(refused) {
      // As the server does it.
      if (refused) port.open({ refused })
      if (line?.readyState) end(line, refused ? REFUSED : ABNORMAL)
    },
  }
  return port
}
