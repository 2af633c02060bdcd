import { ServerResponse } from "node:http"
import type { IncomingMessage, Server as HttpServer } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Endpoint } from "../transport.ts"
import { longPoll } from "./longpoll/longpoll.ts"
import { refuseUpgrade } from "./refuse-upgrade.ts"
import { pathOf } from "./http-handshake.ts"
import type { HttpTransport } from "./http-transport.ts"
import { websockets } from "./websocket/websocket.ts"

/** The transports that there are: one more is a file, and its name here. */
const TRANSPORTS: readonly ((endpoint: Endpoint) => HttpTransport)[] = [websockets, longPoll]

/** What one endpoint serves on an HTTP server. */
interface Attachment {
  readonly endpoint: Endpoint
  readonly transports: readonly HttpTransport[]
}

/** The endpoints of each HTTP server. They share its listeners, so that a request is answered once, whoever comes and goes. */
const attachments = new WeakMap<HttpServer, Set<Attachment>>()

/**
 * Serves an endpoint's paths on an HTTP server; all others stay with the request listeners that it has at this moment.
 * Returns its undo, which resolves when the endpoint's last answer is out.
 */
export function attach(endpoint: Endpoint, http: HttpServer): () => Promise<void> {
  const attachment = { endpoint, transports: TRANSPORTS.map((transport) => transport(endpoint)) }
  const attached = attachments.get(http) ?? take(http)
  attached.add(attachment)
  return async () => {
    attached.delete(attachment)
    await Promise.all(attachment.transports.map((transport) => transport.close()))
  }
}

/** Puts one pair of listeners in front of those that an HTTP server has. */
function take(http: HttpServer): Set<Attachment> {
  const attached = new Set<Attachment>()
  const others = http.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[]

  function onRequest(this: HttpServer, request: IncomingMessage, response: ServerResponse): void {
    const asked = askedOf(attached, request)
    if (asked !== undefined) asked.transport.request(request, response, asked.path)
    else for (const other of others) other.call(this, request, response)
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const asked = askedOf(attached, request)
    if (asked?.transport.upgrade !== undefined) asked.transport.upgrade(request, socket, head, asked.path)
    else if (asked !== undefined && request.method === "GET") {
      asked.transport.request(request, responseOn(socket, request), asked.path)
    }
    // Somebody else's upgrade is left to them; when there is nobody else, it would hang for ever.
    else if (http.listenerCount("upgrade") === 1) refuseUpgrade(socket, 404, "not found")
  }

  // A request listener cannot stop the ones before it, so it takes their place and hands on what is not its own.
  http.removeAllListeners("request")
  http.on("request", onRequest)
  http.on("upgrade", onUpgrade)
  attachments.set(http, attached)
  return attached
}

/**
 * The way to answer a request that offers an upgrade where there is none as if it had not: it is but an offer (RFC 9110,
 * section 7.8). Node has let go of its connection, which ends with the answer.
 */
function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as Socket)
  response.once("finish", () => (socket as Socket).destroySoon())
  socket.on("error", () => socket.destroy())
  // A GET has no body; nobody else would ever say that it has ended.
  request.push(null)
  return response
}

/** The transport that a request asks for, and the mounted path of it: `/socket` for `/socket/websocket`. */
function askedOf(
  attached: ReadonlySet<Attachment>,
  request: IncomingMessage,
): { readonly transport: HttpTransport; readonly path: string } | undefined {
  const asked = pathOf(request)
  for (const { endpoint, transports } of attached) {
    for (const transport of transports) {
      const path = endpoint.paths(transport.name).find((mount) => asked === `${mount}/${transport.name}`)
      if (path !== undefined) return { transport, path }
    }
  }
  return undefined
}
