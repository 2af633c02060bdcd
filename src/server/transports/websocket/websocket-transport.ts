import type { EventEmitter } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocket, WebSocketServer } from "ws"
import { BAD_FRAME, FIRST_PRIVATE, NORMAL, PROTOCOL_ERROR, SERVICE_RESTART } from "../../../wire/close-codes.ts"
import type { Data } from "../../../wire/message.ts"
import { andThen } from "../../awaitable.ts"
import { withDeadline } from "../../deadline.ts"
import type { Awaitable } from "../../awaitable.ts"
import type { Endpoint, Inlet, Outlet } from "../../transport.ts"
import { Handshakes, requestedUrl } from "../http-handshake.ts"
import { UNCACHED } from "../http-headers.ts"
import type { HttpTransport } from "../http-transport.ts"
import { refuseUpgrade } from "../refuse-upgrade.ts"
import { TimerWheel } from "../timer-wheel.ts"
import type { WheelItem } from "../timer-wheel.ts"
import { DEFLATE_OPTIONS, inflatesShared, keepAcceptableOffer } from "./compression.ts"
import { FrameWriter } from "./frame-writer.ts"
import { readSubprotocols } from "./subprotocols.ts"
import type { SubprotocolOffer } from "./subprotocols.ts"
import { upgradeProblem } from "./upgrade-problem.ts"

/**
 * A WebSocket with its state as properties, that handles its own events. Listeners would be added to each connection one by one, and a
 * closure would keep the handshake, with its URL and headers, in memory with the connection.
 */
class Connection extends WebSocket implements WheelItem {
  slot: Set<WheelItem> | undefined
  inlet: Inlet | undefined
  idleTimer: TimerWheel<Connection> | undefined
  count: Endpoint["count"] | undefined

  /**
   * Closes the connection. `ws` also calls this to answer a client's close frame. Such a call has no code or has a reason; our own
   * calls have a code and no reason. As in Phoenix's servers, the answer is 1000, or 1002 if the client sent a code that only
   * servers may send. It is sent after the client's earlier frames have been handled.
   */
  override close(code?: number, reason?: string | Buffer): void {
    const isAnswer = code === undefined || reason !== undefined
    const isServerCode = code !== undefined && code >= SERVICE_RESTART && code < FIRST_PRIVATE
    if (isAnswer && this.readyState === this.OPEN) this.inlet?.closeInTurn(isServerCode ? PROTOCOL_ERROR : NORMAL)
    else super.close(code)
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "message") {
      // By its default `binaryType`, ws gives each message as one Buffer.
      const [bytes, isBinary] = args as [Buffer, boolean]
      received(this, isBinary ? bytes : bytes.toString(), bytes.length)
    } else if (event === "ping" || event === "pong") {
      this.idleTimer?.touch(this)
    } else if (event === "error") {
      const [{ code }] = args as [{ code?: string }]
      this.count?.(code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "oversized_frames" : "socket_errors")
      // `ws` closes it for what the client has sent: a frame that is too large or malformed. So the connection is not lost.
      if (code?.startsWith("WS_ERR_") === true) this.inlet?.closeInTurn(BAD_FRAME)
    } else if (event === "close") {
      this.idleTimer?.remove(this)
      this.inlet?.closed()
    }
    // An error without a listener would be thrown.
    return event === "error" || super.emit(event, ...args)
  }
}

/** Opens a connection: for a client that was accepted, or for one that gets the reason of its refusal. */
type Open = (outlet: Outlet) => Inlet
/**
 * The outcome of a handshake: the connection is accepted, or gets an HTTP answer. A refusal with `open` is answered by opening the
 * connection.
 */
type Verdict =
  | { readonly ok: true; readonly open: Open }
  | { readonly ok: false; readonly status: number; readonly body: string; readonly open?: Open | undefined }

/** How long a client has to answer the close frame of a server that shuts down, in ms. */
const CLOSE_GRACE_MS = 1_000

/** Returns the WebSocket transport, which serves `<path>/websocket` (P1, P4, P5). */
export function webSocketTransport(endpoint: Endpoint): HttpTransport {
  const { limits, timers, count } = endpoint
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: endpoint.compression === true && DEFLATE_OPTIONS,
    maxPayload: limits.maxFrameBytes,
    // Otherwise a client that does not answer the server's close frame would keep its connection.
    closeTimeout: limits.handshakeTimeoutMs,
    WebSocket: Connection as typeof WebSocket,
  }
  const server = new WebSocketServer(options)
  const handshakes = new Handshakes(endpoint)
  const expire = (connection: Connection): void => {
    // Nothing is read from it, so it cannot show that it is alive.
    if (connection.isPaused) return idleTimer.touch(connection)
    count("idle_timeouts")
    connection.close(PROTOCOL_ERROR)
    // A client that is gone answers no close frame. Its presences must not stay until the connection is given up.
    connection.inlet?.closed()
  }
  // A browser answers pings by itself. Its page may be unable to send heartbeats: in a hidden tab, timers fire once a minute.
  const idleTimer = new TimerWheel<Connection>(timers, limits.idleTimeoutMs, expire, (connection) => connection.ping())

  server.on("headers", (headers) => headers.push(`cache-control: ${UNCACHED["cache-control"]}`))

  /** Checks a handshake in the protocol's order: admission is checked before the headers of an upgrade (P2). */
  function checkHandshake(
    request: IncomingMessage,
    connection: EventEmitter,
    path: string,
    offer: SubprotocolOffer,
  ): Awaitable<Verdict> {
    if (request.method !== "GET") return refuse(400)
    const url = requestedUrl(endpoint, request)
    if (url === undefined) return refuse(400)
    if (!offer.isAcceptable) return refuse(403)
    const { authToken } = offer
    return andThen(handshakes.requestAdmission(request, connection, { path, url, authToken }), (admission) => {
      const problem = upgradeProblem(request)
      if (admission?.ok !== true) {
        const open = problem === undefined ? admission?.sendReason : undefined
        return { ok: false, status: admission?.status ?? 503, body: "", open }
      }
      return problem === undefined ? admission : refuse(400, problem)
    })
  }

  function refuse(status: number, body = ""): Verdict {
    count("bad_handshakes")
    return { ok: false, status, body }
  }

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const offer = readSubprotocols(request)
    const verdict = await checkHandshake(request, response, path, offer)
    const { status, body } = verdict.ok ? { status: 400, body: "" } : verdict
    const protocol = offer.protocol && { "sec-websocket-protocol": offer.protocol }
    response.writeHead(status, { ...UNCACHED, ...protocol, "content-length": Buffer.byteLength(body) }).end(body)
  }

  function upgrade(request: IncomingMessage, raw: Duplex, head: Buffer, path: string): void {
    raw.on("error", ignoreError)
    const offer = readSubprotocols(request)
    void andThen(checkHandshake(request, raw, path, offer), (verdict) => {
      if (raw.destroyed) return
      if (verdict.open !== undefined) accept(verdict.open, request, raw, head, offer)
      else if (!verdict.ok) refuseUpgrade(raw, verdict.status, verdict.body, offer.protocol)
    })
  }

  function accept(open: Open, request: IncomingMessage, raw: Duplex, head: Buffer, offer: SubprotocolOffer): void {
    // `ws` checks these headers again, more strictly than the protocol does. So they are replaced by the agreed values.
    if (offer.protocol !== undefined) request.headers["sec-websocket-protocol"] = offer.protocol
    else if (request.headers["sec-websocket-protocol"] !== undefined) delete request.headers["sec-websocket-protocol"]
    request.headers.upgrade = "websocket"
    keepAcceptableOffer(request)

    server.handleUpgrade(request, raw, head, (websocket) => {
      const connection = websocket as Connection
      connection.idleTimer = idleTimer
      connection.count = count
      const isCompressed = inflatesShared(connection, onInflated)
      connection.inlet = open(new FrameWriter(connection, raw, endpoint, isCompressed))
      idleTimer.touch(connection)
    })
  }

  function onInflated(): void {
    count("inflated_frames")
  }

  return {
    name: "websocket",
    request: (request, response, path) => void answer(request, response, path),
    upgrade,
    async close() {
      handshakes.close()
      const open = [...idleTimer.items()]
      const closed = Promise.all(open.map((connection) => new Promise((resolve) => connection.once("close", resolve))))
      const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected: "the close frames to be answered" }
      await withDeadline(closed, limit).catch(() => undefined)
      for (const connection of open) connection.terminate()
      idleTimer.stop()
    },
  }
}

function received(connection: Connection, data: Data, bytes: number): void {
  const { idleTimer, inlet, count } = connection
  idleTimer?.touch(connection)
  count?.("bytes_in", bytes)
  inlet?.receive(data)
  if (!connection.isPaused) readOn(connection)
}

/** Stops reading while the connection has too many messages, and reads on afterwards. */
function readOn(connection: Connection): void {
  const crowded = connection.inlet?.crowded
  if (crowded === undefined) {
    if (connection.isPaused) connection.resume()
    return
  }
  connection.pause()
  void crowded.then(() => readOn(connection))
}

function ignoreError(): void {
  // A connection that breaks during its handshake has no socket yet. Without a listener, the error would end the process.
}
