import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocket, WebSocketServer } from "ws"
import type { RawData } from "ws"
import type { Endpoint, Inlet } from "../transport.ts"
import { IdleWheel } from "./idle.ts"
import { Outgoing } from "./outgoing.ts"
import { refuseUpgrade } from "./refuse.ts"
import { knock, mountOf, urlOf } from "./request.ts"
import type { Transport } from "./transport.ts"
import { SocketWriter } from "./writer.ts"

/** A WebSocket with what belongs to it, so that one set of listeners serves all. */
class Connection extends WebSocket {
  inlet: Inlet | undefined
  idle: IdleWheel<Connection> | undefined
  count: Endpoint["count"] | undefined

  /**
   * Answers a client's close with 1000, whatever code came, as the servers of this protocol do. Only that answer has
   * no code or has a reason: a code of ours never comes with one.
   */
  override close(code?: number, reason?: string | Buffer): void {
    super.close(code === undefined || reason !== undefined ? 1000 : code)
  }
}

/** How long a client has to answer the goodbye of a server that closes, in ms. */
const CLOSE_GRACE_MS = 1_000

const TOKEN_PREFIX = "base64url.bearer.phx."

/** The WebSocket transport, at `<path>/websocket` (protocol rules 1, 4, 5). */
export function websockets(endpoint: Endpoint): Transport {
  const { limits, timers, count } = endpoint
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
    // A client that is told goodbye and says nothing is a connection all the same.
    closeTimeout: limits.handshakeTimeoutMs,
    WebSocket: Connection as typeof WebSocket,
    handleProtocols: (offered: ReadonlySet<string>) =>
      offered.has("phoenix") ? ("phoenix" as const) : (false as const),
  }
  const server = new WebSocketServer(options)
  const outgoing = new Outgoing(count)
  const idle = new IdleWheel<Connection>(timers, limits.idleTimeoutMs, (connection) => {
    count("idle_timeouts")
    connection.close(1002)
  })

  async function upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): Promise<void> {
    raw.on("error", ignore)
    const path = mountOf(endpoint, request, "websocket")
    const url = urlOf(endpoint, request)
    const problem = handshakeProblem(request)
    const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim())
    const protocol = protocols.includes("phoenix") ? "phoenix" : undefined
    const refuse = (status: number, body = ""): void => refuseUpgrade(raw, status, body, protocol)
    const refuseBad = (status: number, body?: string): void => {
      count("bad_handshakes")
      refuse(status, body)
    }
    if (path === undefined || url === undefined) return refuseBad(404, "not found")
    if (problem !== undefined) return refuseBad(400, problem)
    const authToken = tokenOf(protocols)
    if (authToken === null || (protocols[0] !== "" && protocol === undefined)) return refuseBad(403)

    const admission = await knock(endpoint, request, raw, { path, url, authToken: authToken ?? undefined })
    if (raw.destroyed) return
    if (admission === undefined) return refuse(503)
    if (!admission.ok) return refuse(admission.status)

    server.handleUpgrade(request, raw, head, (websocket) => {
      const connection = websocket as Connection
      connection.idle = idle
      connection.count = count
      // Not a closure: it would keep the handshake, with its URL and headers, for as long as the connection lives.
      connection.inlet = admission.open(new SocketWriter(connection, raw, endpoint, outgoing))
      connection.on("message", onMessage).on("ping", onPing).on("close", onClose).on("error", onError)
      idle.touch(connection)
    })
  }

  function onError(error: Error & { code?: string }): void {
    count(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "oversized_frames" : "socket_errors")
  }

  return {
    name: "websocket",
    request(request, response) {
      response.writeHead(400, { "content-type": "text/plain" }).end(handshakeProblem(request))
    },
    upgrade: (request, raw, head) => void upgrade(request, raw, head),
    async close() {
      const open = [...idle.items()]
      const gone = Promise.all(open.map((connection) => new Promise((resolve) => connection.once("close", resolve))))
      const late = new Promise<void>((resolve) => {
        const timer = timers.set(resolve, CLOSE_GRACE_MS)
        void gone.then(() => timers.clear(timer))
      })
      await Promise.race([gone, late])
      for (const connection of open) connection.terminate()
      idle.stop()
    },
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  const { idle, inlet, count } = this as Connection
  idle?.touch(this as Connection)
  count?.("bytes_in", (data as Buffer).length)
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

/** What is wrong with a handshake, in the words of the protocol's servers; `ws` would say less. */
function handshakeProblem({ method, headers }: IncomingMessage): string | undefined {
  if (method !== "GET") return ""
  for (const [name, word] of [
    ["connection", "upgrade"],
    ["upgrade", "websocket"],
  ] as const) {
    const value = headers[name]
    if (value?.toLowerCase().includes(word) !== true) {
      return `'${name}' header must contain '${word}', got ${listed(value)}`
    }
  }
  if (headers["sec-websocket-key"] === undefined) return "'sec-websocket-key' header is absent"
  const version = headers["sec-websocket-version"]
  return version === "13" ? undefined : `'sec-websocket-version' header must equal '13', got ${listed(version)}`
}

const listed = (value: string | undefined): string => JSON.stringify(value === undefined ? [] : [value])

/** The token among the offered subprotocols; `null` when there is one that is not base64url. */
function tokenOf(protocols: readonly string[]): string | undefined | null {
  const encoded = protocols.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length)
  if (encoded === undefined) return undefined
  return /^[\w+-]*$/.test(encoded) ? Buffer.from(encoded, "base64url").toString() : null
}
