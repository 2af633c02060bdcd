import type { Transport } from "../client/phoenix.ts"
import { ABNORMAL, NORMAL } from "../wire/close-codes.ts"
import type { Data } from "../wire/message.ts"

/** One connection of a client under test, from the side of its server: a WebSocket in memory that the test opens, feeds and closes. */
export interface FakeLine {
  readonly url: string
  readonly status: "connecting" | "open" | "closed"
  /** Lets the handshake succeed. Does nothing unless the line is connecting. */
  open(): void
  /** Sends a frame. Frames arrive in order: in a microtask, or at `flush`. */
  send(frame: Data): void
  /** Delivers everything that was sent, now. A call from a callback of a delivery leaves that to the delivery. */
  flush(): void
  /** Closes the line, after what was sent before. Default: as a broken network does. */
  close(code?: number): void
}

/** What a server in memory does with its lines. */
export interface LineHandlers {
  connecting(line: FakeLine): void
  received(line: FakeLine, frame: Data): void
  closed(line: FakeLine): void
}

const STATES = { connecting: 0, open: 1, closed: 3 }
const CLOSING = 2

/** Returns a class with the interface of `WebSocket`, whose other side is a server in memory. */
export function fakeTransport(handlers: LineHandlers): Transport {
  class FakeWebSocket {
    binaryType = "arraybuffer"
    readonly bufferedAmount = 0
    onopen: (() => void) | null = null
    onmessage: ((event: { data: unknown }) => void) | null = null
    onerror: ((error: unknown) => void) | null = null
    onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null = null
    readonly #line: FakeLine & { end(code: number): void }
    /** Whether the application has closed it, which it notices later. */
    #isClosing = false

    constructor(url: string | URL) {
      this.#line = this.#connect(String(url))
      handlers.connecting(this.#line)
    }

    get readyState(): number {
      return this.#isClosing ? CLOSING : STATES[this.#line.status]
    }

    send(data: string | ArrayBuffer | Uint8Array): void {
      if (this.readyState !== STATES.open) return
      handlers.received(this.#line, typeof data === "string" ? data : new Uint8Array(data))
    }

    close(code: number = NORMAL): void {
      this.#isClosing = this.#line.status !== "closed"
      queueMicrotask(() => this.#line.end(code))
    }

    #connect(url: string): FakeLine & { end(code: number): void } {
      const waiting: (() => void)[] = []
      let isFlushing = false
      const later = (run: () => void): void => {
        waiting.push(run)
        queueMicrotask(line.flush)
      }
      const line = {
        url,
        status: "connecting" as FakeLine["status"],
        open: () => {
          if (line.status !== "connecting") return
          line.status = "open"
          this.onopen?.()
        },
        send: (frame: Data) =>
          later(() => {
            if (line.status !== "open") return
            this.onmessage?.({ data: typeof frame === "string" ? frame : frame.slice().buffer })
          }),
        flush: () => {
          if (isFlushing) return
          isFlushing = true
          try {
            for (let next = waiting.shift(); next; next = waiting.shift()) next()
          } finally {
            isFlushing = false
          }
        },
        close: (code: number = ABNORMAL) => later(() => line.end(code)),
        end: (code: number) => {
          if (line.status === "closed") return
          line.status = "closed"
          this.#isClosing = false
          handlers.closed(line)
          this.onclose?.({ code, reason: "", wasClean: code !== ABNORMAL })
        },
      }
      return line
    }
  }
  return FakeWebSocket
}
