/** Faults of the network that a developer makes on purpose: a connection that is cut, delays its messages, or loses them. */
import type { Connection } from "../client/connection.ts"
import type { Conn, Socket, Transport } from "../client/phoenix.ts"
import { ConfigError } from "../error.ts"
import type { Clock } from "../timers.ts"
import { ABNORMAL } from "../wire/close-codes.ts"
import { createDelay } from "./delay.ts"

const MAX_DELAY_MS = 30_000
/** How long an attempt to connect takes to fail while the connection is cut, in milliseconds. */
const FAILS_AFTER_MS = 50

const ignore = (): void => {}

/** A message that was dropped. */
export interface Dropped {
  readonly direction: "in" | "out"
  readonly topic: string
  readonly event: string
}

/** The faults of one connection. */
export interface Faults {
  readonly isCut: boolean
  readonly isDropping: boolean
  readonly delayMs: number
  /** Breaks the connection as a network that is gone does; attempts to connect fail until `restore()`. */
  cut(): void
  /** Ends `cut()`, and connects at once. */
  restore(): void
  /** Breaks the connection once. The client connects again. */
  reconnect(): void
  /**
   * Drops all messages in both directions, until `drop(false)`. A network loses messages only together with the connection, so the
   * connection is then replaced if a message was dropped: that is how rooms get their users again.
   */
  drop(isDropping: boolean): void
  /** Delays all messages in both directions, in order. @throws ConfigError if it is no number from 0 to 30 000 */
  delay(ms: number): void
  /** Ends all faults. */
  stop(): void
}

/** @param dropped called with each message that is dropped */
export function createFaults(connection: Connection, timers: Clock, dropped: (message: Dropped) => void): Faults {
  const socket = connection.socket as Socket & { transport: Transport }
  const { encode, decode } = socket
  const delays = { in: createDelay(timers), out: createDelay(timers) }
  let isDropping = false
  let isLossy = false
  let delayMs = 0
  /** That of the connection, while it is cut. */
  let transport: Transport | undefined

  const pass = (direction: "in" | "out", run: () => void): void => {
    const { conn } = socket
    delays[direction].add(() => {
      // A message of a connection that has ended is lost with it.
      if (socket.conn === conn && socket.isConnected()) run()
    }, delayMs)
  }

  const drop = (direction: "in" | "out", topic: unknown, event: unknown): void => {
    isLossy = true
    dropped({ direction, topic: String(topic), event: String(event) })
  }

  const faultyEncode: typeof encode = (message: { topic: string; event: string }, done) =>
    encode(message, (frame: unknown) => {
      if (isDropping) drop("out", message.topic, message.event)
      else pass("out", () => done(frame))
    })
  const faultyDecode: typeof decode = (raw: unknown, done) => {
    // What the client refuses itself does not come from the network.
    if (typeof raw !== "string" && !(raw instanceof ArrayBuffer)) decode(raw, done)
    else if (isDropping) drop("in", ...namesOf(raw))
    else pass("in", () => decode(raw, done))
  }
  socket.encode = faultyEncode
  socket.decode = faultyDecode

  const lose = (): void => {
    const conn: (Conn & { onclose?: ((event: object) => void) | null }) | null = socket.conn
    delays.in.clear()
    delays.out.clear()
    isLossy = false
    if (!conn || socket.connectionState() === "closed") return
    const { onclose } = conn
    // phoenix.js must not wait for the answer to a close frame: a network that is gone does not answer.
    Object.assign(conn, { onmessage: ignore, onclose: ignore })
    conn.close()
    onclose?.({ code: ABNORMAL, reason: "", wasClean: false })
  }

  /** An attempt that fails. */
  class Cut {
    readyState = 0
    onerror?: (error: unknown) => void
    onclose?: (event: object) => void
    readonly #timer = timers.set(() => this.close(), FAILS_AFTER_MS)
    send(): void {}
    close(): void {
      if (this.readyState === 3) return
      timers.clear(this.#timer)
      this.readyState = 3
      this.onclose?.({ code: ABNORMAL, reason: "", wasClean: false })
    }
  }

  const faults: Faults = {
    get isCut() {
      return transport !== undefined
    },
    get isDropping() {
      return isDropping
    },
    get delayMs() {
      return delayMs
    },
    cut() {
      if (transport) return
      ;({ transport } = socket)
      socket.transport = Cut
      lose()
    },
    restore() {
      if (!transport) return
      if (socket.transport === Cut) socket.transport = transport
      transport = undefined
      const { status } = connection
      if (status === "connecting" || status === "reconnecting") socket.disconnect(() => socket.connect())
    },
    reconnect: lose,
    drop(next) {
      isDropping = next
      if (!next && isLossy) lose()
    },
    delay(ms) {
      if (!(ms >= 0 && ms <= MAX_DELAY_MS))
        throw new ConfigError(`expected a delay to be a number of milliseconds from 0 to ${MAX_DELAY_MS}, got ${ms}`)
      delayMs = ms
    },
    stop() {
      faults.restore()
      faults.drop(false)
      delayMs = 0
      delays.in.flush()
      delays.out.flush()
      // Others may have wrapped them since. Then they stay, and pass on what comes.
      if (socket.encode === faultyEncode) socket.encode = encode
      if (socket.decode === faultyDecode) socket.decode = decode
    },
  }
  return faults
}

/** Returns the topic and the event of a message that is not decoded. */
function namesOf(raw: string | ArrayBuffer): readonly [topic: unknown, event: unknown] {
  try {
    const [, , topic, event] = JSON.parse(raw as string) as unknown[]
    return [topic, event]
  } catch {
    return ["", "bytes"]
  }
}
