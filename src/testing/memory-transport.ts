import { andThen } from "../server/awaitable.ts"
import { nestedParams } from "../server/nested-params.ts"
import type { Endpoint, Handshake, Inlet } from "../server/transport.ts"
import { ABNORMAL, NORMAL } from "../wire/close-codes.ts"

/** The part of the browser's `WebSocket` that client libraries use; phoenix accepts it as its `transport` option. */
export interface MemoryWebSocket {
  readonly url: string
  readonly readyState: number
  onopen: ((event: object) => void) | null
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null
  onerror: ((event: object) => void) | null
  onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null
  send(data: string | ArrayBuffer | Uint8Array): void
  close(code?: number, reason?: string): void
}

/**
 * A transport in memory: a `WebSocket` class that connects to one server, and controls that simulate network failures.
 */
export interface MemoryTransport {
  /** Pass this as `transport` to `connect`, or to phoenix's `Socket`. */
  readonly WebSocket: new (url: string | URL, protocols?: string | string[]) => MemoryWebSocket
  /** Drops every open connection without a close frame, as a broken network does. Both ends see close code 1006. */
  drop(): void
  /** Whether new connections succeed. While it is `false`, they fail with close code 1006. */
  reachable: boolean
}

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/**
 * Connects clients to a server in the same process, without a network or ports. Frames arrive in order, each in a
 * microtask of its own.
 *
 * ```ts
 * const memory = memoryTransport(server)
 * const connection = connect("ws://memory/socket", { transport: memory.WebSocket })
 * ```
 */
export function memoryTransport(server: { readonly endpoint: Endpoint }): MemoryTransport {
  const { endpoint } = server
  const openSockets = new Set<{ drop(): void }>()

  const transport: MemoryTransport = {
    reachable: true,
    drop() {
      for (const socket of openSockets) socket.drop()
    },
    WebSocket: class implements MemoryWebSocket {
      readonly url: string
      binaryType = "arraybuffer"
      readyState = CONNECTING
      onopen: MemoryWebSocket["onopen"] = null
      onmessage: MemoryWebSocket["onmessage"] = null
      onerror: MemoryWebSocket["onerror"] = null
      onclose: MemoryWebSocket["onclose"] = null
      readonly #closed = new AbortController()
      #inlet: Inlet | undefined

      constructor(url: string | URL, _protocols?: string | string[]) {
        this.url = String(url)
        void this.#connect()
      }

      send(data: string | ArrayBuffer | Uint8Array): void {
        if (this.readyState !== OPEN) return
        const frame = typeof data === "string" ? data : new Uint8Array(data)
        queueMicrotask(() => this.#inlet?.receive(frame))
      }

      close(code: number = NORMAL, reason = ""): void {
        if (this.readyState === CLOSED) return
        this.readyState = CLOSING
        queueMicrotask(() => void andThen(this.#inlet?.crowded, () => this.#end(code, reason, true)))
      }

      drop(): void {
        this.#end(ABNORMAL, "", false)
      }

      async #connect(): Promise<void> {
        const url = new URL(this.url)
        const path = url.pathname.replace(/\/websocket\/?$/, "")
        const params = nestedParams(url.searchParams) as Handshake["params"]
        const request = { path, params, url, headers: {}, address: "memory", signal: this.#closed.signal }
        const admission = await (transport.reachable ? endpoint.admit(request) : { ok: false as const })
        if (this.readyState !== CONNECTING) return
        if (!admission.ok) {
          this.onerror?.({})
          this.#end(ABNORMAL, "", false)
          return
        }
        this.readyState = OPEN
        openSockets.add(this)
        this.#inlet = admission.open({
          send: ({ data }) => {
            const sent = typeof data === "string" ? data : data.slice().buffer
            queueMicrotask(() => this.readyState !== CLOSED && this.onmessage?.({ data: sent }))
          },
          close: (code) => queueMicrotask(() => this.#end(code, "", true)),
        })
        this.onopen?.({})
      }

      #end(code: number, reason: string, wasClean: boolean): void {
        if (this.readyState === CLOSED) return
        this.readyState = CLOSED
        this.#closed.abort()
        openSockets.delete(this)
        this.#inlet?.closed()
        this.onclose?.({ code, reason, wasClean })
      }
    },
  }
  return transport
}
