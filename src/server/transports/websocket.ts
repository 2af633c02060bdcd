import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocket, WebSocketServer } from "ws"
import type { RawData } from "ws"
import type { Endpoint, Inlet } from "../transport.ts"
import { IdleWheel } from "./idle.ts"
import { handshakeOf, mountOf, urlOf } from "./request.ts"
import { SocketWriter } from "./writer.ts"

/** The WebSocket transport, at `<path>/websocket` (protocol rules 1, 4, 5). */
export interface WebSocketTransport {
  /** Whether a request is for this transport. */
  matches(request: IncomingMessage): boolean
  /** Answers a request that is no upgrade with 400. */
  refuse(request: IncomingMessage, response: ServerResponse): void
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  close(): Promise<void>
}

/** A WebSocket with what belongs to it, so that one set of listeners serves all. */
class Connection extends WebSocket {
  inlet: Inlet | undefined
  idle: IdleWheel<Connection> | undefined

  /**
   * Answers a client's close with 1000, whatever code came, as the servers of this protocol do. Only that answer has
   * no code or has a reason: a code of ours never comes with one.
   */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code === undefined || reason !== undefined ? 1000 : code)
  }
}

const TOKEN_PREFIX = "base64url.bearer.phx."

/** Serves WebSockets for an endpoint. */
export function websockets(endpoint: Endpoint): WebSocketTransport {
  const { limits, timers, count } = endpoint
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
    WebSocket: Connection as typeof WebSocket,
    handleProtocols: (offered) => (offered.has("phoenix") ? "phoenix" : false),
  })
  const idle = new IdleWheel<Connection>(timers, limits.idleTimeoutMs, (connection) => {
    count("idle_timeouts")
    connection.close(1002)
  })

  async function upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): Promise<void> {
    raw.on("error", ignore)
    const path = mountOf(endpoint, request, "websocket")
    const url = urlOf(request)
    const problem = handshakeProblem(request)
    if (path === undefined || url === undefined) return answer(raw, 404, "not found")
    if (problem !== undefined) return answer(raw, 400, problem)
    const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim())
    const authToken = tokenOf(protocols)
    if (authToken === null || (protocols[0] !== "" && !protocols.includes("phoenix"))) return answer(raw, 403, "")

    const gone = new AbortController()
    const leave = (): void => gone.abort()
    raw.once("close", leave)
    const timer = timers.set(leave, limits.handshakeTimeoutMs)
    const handshake = handshakeOf(request, path, url, { signal: gone.signal, authToken })
    const aborted = new Promise<undefined>((resolve) => gone.signal.addEventListener("abort", () => resolve(undefined)))
    const admission = await Promise.race([endpoint.admit(handshake), aborted])
    timers.clear(timer)
    raw.off("close", leave)
    if (raw.destroyed) return
    if (admission === undefined) return answer(raw, 503, "")
    if (!admission.ok) return answer(raw, admission.status, "")

    server.handleUpgrade(request, raw, head, (websocket) => {
      const connection = websocket as Connection
      const writer = new SocketWriter(connection, raw, endpoint)
      connection.idle = idle
      connection.inlet = admission.open({
        send: (frame) => writer.send(frame),
        close: (code) => connection.close(code),
      })
      connection.on("message", onMessage).on("ping", onPing).on("close", onClose).on("error", onError)
      idle.touch(connection)
    })
  }

  function onError(error: Error & { code?: string }): void {
    count(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "oversized_frames" : "socket_errors")
  }

  return {
    matches: (request) => mountOf(endpoint, request, "websocket") !== undefined,
    refuse(request, response) {
      const body = request.method === "GET" ? "expected a WebSocket upgrade" : ""
      response.writeHead(400, { "content-type": "text/plain" }).end(body)
    },
    upgrade: (request, raw, head) => void upgrade(request, raw, head),
    async close() {
      idle.stop()
      server.close()
    },
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const { idle, inlet } = this as Connection
  idle?.touch(this as Connection)
  inlet?.receive(isBinary ? (data as Buffer) : data.toString())
}

function onPing(this: WebSocket): void {
  ;(this as Connection).idle?.touch(this as Connection)
}

function onClose(this: WebSocket): void {
  const { idle, inlet } = this as Connection
  idle?.forget(this as Connection)
  inlet?.closed()
}

function ignore(): void {
  // A connection that breaks before it is one has nobody to tell.
}

/** What is wrong with a handshake, in the protocol's words; `ws` would say less. */
function handshakeProblem({ method, headers }: IncomingMessage): string | undefined {
  if (method !== "GET") return ""
  const version = headers["sec-websocket-version"]
  if (version !== "13") return `'sec-websocket-version' header must equal '13', got ${JSON.stringify([version])}`
  if (headers["sec-websocket-key"] === undefined) return "'sec-websocket-key' header is absent"
  return undefined
}

/** The token among the offered subprotocols; `null` when there is one that is not base64url. */
function tokenOf(protocols: readonly string[]): string | undefined | null {
  const encoded = protocols.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length)
  if (encoded === undefined) return undefined
  return /^[\w-]*$/.test(encoded) ? Buffer.from(encoded, "base64url").toString() : null
}

const REASONS: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  503: "Service Unavailable",
}

function answer(raw: Duplex, status: number, body: string): void {
  const head = `HTTP/1.1 ${status} ${REASONS[status]}\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  raw.end(head + body)
}
