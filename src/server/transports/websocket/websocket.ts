import type { EventEmitter } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocket, WebSocketServer } from "ws"
import type { RawData } from "ws"
import { FIRST_PRIVATE, NORMAL, PROTOCOL_ERROR, SERVICE_RESTART } from "../../../wire/close-codes.ts"
import { whenever } from "../../awaitable.ts"
import type { Awaitable } from "../../awaitable.ts"
import type { Admission, Endpoint, Inlet } from "../../transport.ts"
import { offerOf, UNCACHED, upgradeProblem } from "./upgrade-request.ts"
import type { Offer } from "./upgrade-request.ts"
import { TimerWheel } from "../timer-wheel.ts"
import type { Watched } from "../timer-wheel.ts"
import { refuseUpgrade } from "../refuse-upgrade.ts"
import { requestAdmission, urlOf } from "../http-handshake.ts"
import type { HttpTransport } from "../http-transport.ts"
import { FrameWriter } from "./frame-writer.ts"

/** A WebSocket with what belongs to it, so that one set of listeners serves all. */
class Connection extends WebSocket implements Watched {
  slot: Set<Watched> | undefined
  inlet: Inlet | undefined
  idle: TimerWheel<Connection> | undefined
  count: Endpoint["count"] | undefined

  /**
   * Answers a client's close with 1000, whatever code came, or 1002 for one that is not a client's to say, as the servers
   * of this protocol do; as any frame, it has its turn. Only that answer has no code or has a reason: a code of ours never
   * comes with one.
   */
  override close(code?: number, reason?: string | Buffer): void {
    const isAnswer = code === undefined || reason !== undefined
    const isServers = code !== undefined && code >= SERVICE_RESTART && code < FIRST_PRIVATE
    if (isAnswer && this.readyState === this.OPEN) this.inlet?.closeInTurn(isServers ? PROTOCOL_ERROR : NORMAL)
    else super.close(code)
  }
}

/** What is decided on a handshake: let in, or an HTTP answer. */
type Admitted = Admission & { readonly ok: true }
type Verdict = Admitted | { readonly ok: false; readonly status: number; readonly body: string }

/** How long a client has to answer the goodbye of a server that closes, in ms. */
const CLOSE_GRACE_MS = 1_000

/** The WebSocket transport, at `<path>/websocket` (P1, P4, P5). */
export function websockets(endpoint: Endpoint): HttpTransport {
  const { limits, timers, count } = endpoint
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.maxFrameBytes,
    // A client that is told goodbye and says nothing is a connection all the same.
    closeTimeout: limits.handshakeTimeoutMs,
    WebSocket: Connection as typeof WebSocket,
  }
  const server = new WebSocketServer(options)
  const idle = new TimerWheel<Connection>(timers, limits.idleTimeoutMs, (connection) => {
    count("idle_timeouts")
    connection.close(PROTOCOL_ERROR)
  })

  server.on("headers", (headers) => headers.push(`cache-control: ${UNCACHED["cache-control"]}`))

  /**
   * Decides on a handshake in the protocol's order: who may come in is asked before what makes it an upgrade (P2).
   * @returns the way in, or the HTTP answer
   */
  function judge(request: IncomingMessage, wire: EventEmitter, path: string, offer: Offer): Awaitable<Verdict> {
    if (request.method !== "GET") return refuse(400)
    const url = urlOf(endpoint, request)
    if (url === undefined) return refuse(400)
    if (!offer.isAcceptable) return refuse(403)
    return whenever(
      requestAdmission(endpoint, request, wire, { path, url, authToken: offer.authToken }),
      (admission) => {
        if (admission?.ok !== true) return { ok: false, status: admission?.status ?? 503, body: "" }
        const problem = upgradeProblem(request)
        return problem === undefined ? admission : refuse(400, problem)
      },
    )
  }

  function refuse(status: number, body = ""): Verdict {
    count("bad_handshakes")
    return { ok: false, status, body }
  }

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const offer = offerOf(request)
    const verdict = await judge(request, response, path, offer)
    const { status, body } = verdict.ok ? { status: 400, body: "" } : verdict
    const protocol = offer.protocol && { "sec-websocket-protocol": offer.protocol }
    response.writeHead(status, { ...UNCACHED, ...protocol, "content-length": Buffer.byteLength(body) }).end(body)
  }

  function upgrade(request: IncomingMessage, raw: Duplex, head: Buffer, path: string): void {
    raw.on("error", ignore)
    const offer = offerOf(request)
    void whenever(judge(request, raw, path, offer), (verdict) => {
      if (raw.destroyed) return
      if (verdict.ok) letIn(verdict, request, raw, head, offer)
      else refuseUpgrade(raw, verdict.status, verdict.body, offer.protocol)
    })
  }

  function letIn(verdict: Admitted, request: IncomingMessage, raw: Duplex, head: Buffer, offer: Offer): void {
    // What was offered has been read, more leniently than by `ws`, which is told the outcome.
    if (offer.protocol !== undefined) request.headers["sec-websocket-protocol"] = offer.protocol
    else if (request.headers["sec-websocket-protocol"] !== undefined) delete request.headers["sec-websocket-protocol"]
    request.headers.upgrade = "websocket"

    server.handleUpgrade(request, raw, head, (websocket) => {
      const connection = websocket as Connection
      connection.idle = idle
      connection.count = count
      // Not a closure: it would keep the handshake, with its URL and headers, for as long as the connection lives.
      connection.inlet = verdict.open(new FrameWriter(connection, raw, endpoint))
      connection.on("message", onMessage)
      connection.on("ping", onSign).on("pong", onSign).on("close", onClose).on("error", onError)
      idle.touch(connection)
    })
  }

  function onError(error: Error & { code?: string }): void {
    count(error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? "oversized_frames" : "socket_errors")
  }

  return {
    name: "websocket",
    request: (request, response, path) => void answer(request, response, path),
    upgrade,
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
  const crowded = inlet?.crowded
  if (crowded === undefined || this.isPaused) return
  this.pause()
  void crowded.then(() => this.resume())
}

function onSign(this: WebSocket): void {
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
