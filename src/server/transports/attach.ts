import { ServerResponse } from "node:http"
import type { IncomingMessage, Server as HttpServer } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Endpoint } from "../transport.ts"
import { longPollTransport } from "./longpoll/longpoll-transport.ts"
import { refuseUpgrade } from "./refuse-upgrade.ts"
import { pathOf } from "./http-handshake.ts"
import type { HttpTransport } from "./http-transport.ts"
import { webSocketTransport } from "./websocket/websocket-transport.ts"

/** All transports. A new transport needs a file of its own and an entry here. */
const TRANSPORTS: readonly ((endpoint: Endpoint) => HttpTransport)[] = [webSocketTransport, longPollTransport]

/** An endpoint that is attached to an HTTP server, with its transports. */
interface Attachment {
  readonly endpoint: Endpoint
  readonly transports: readonly HttpTransport[]
}

/**
 * The attached endpoints of each HTTP server. All endpoints of an HTTP server share one pair of listeners, so that each request
 * is answered once, no matter in which order endpoints are attached and detached.
 */
const attachments = new WeakMap<HttpServer, Set<Attachment>>()

/**
 * Serves an endpoint's paths on an HTTP server. Requests for other paths still go to the request listeners that the server
 * has at this moment.
 *
 * Returns a function that detaches the endpoint. Its promise resolves once the endpoint's last answer has left. It may be called
 * more than once.
 */
export function attach(endpoint: Endpoint, http: HttpServer): () => Promise<void> {
  const attachment = { endpoint, transports: TRANSPORTS.map((transport) => transport(endpoint)) }
  const attached = attachments.get(http) ?? installListeners(http)
  attached.add(attachment)
  let detaching: Promise<unknown> | undefined
  return async () => {
    attached.delete(attachment)
    detaching ??= Promise.all(attachment.transports.map((transport) => transport.close()))
    await detaching
  }
}

/** Replaces the request listeners of an HTTP server by one that forwards to them, and adds an upgrade listener. */
function installListeners(http: HttpServer): Set<Attachment> {
  const attached = new Set<Attachment>()
  const others = http.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[]

  function onRequest(this: HttpServer, request: IncomingMessage, response: ServerResponse): void {
    const route = routeOf(attached, request)
    if (route !== undefined) {
      route.transport.request(request, response, route.path)
      return
    }
    // Other requests are not for a socket: the application's listeners answer them.
    if (pathOf(request).endsWith("/longpoll")) reportUnknownPath(request)
    for (const other of others) other.call(this, request, response)
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const route = routeOf(attached, request)
    if (route?.transport.upgrade !== undefined) route.transport.upgrade(request, socket, head, route.path)
    else if (route !== undefined && request.method === "GET") {
      route.transport.request(request, responseOn(socket, request), route.path)
    }
    // If there is another upgrade listener, it may serve this path. Otherwise nothing else would ever answer the connection.
    else if (http.listenerCount("upgrade") === 1) {
      reportUnknownPath(request)
      refuseUpgrade(socket, 404, "not found")
    }
  }

  function reportUnknownPath(request: IncomingMessage): void {
    const [first] = attached
    first?.endpoint.unknownPath(pathOf(request))
  }

  // A request listener cannot hide a request from the listeners before it. So this one replaces them and calls them itself.
  http.removeAllListeners("request")
  http.on("request", onRequest)
  http.on("upgrade", onUpgrade)
  attachments.set(http, attached)
  return attached
}

/**
 * Returns a response for a request that offers an upgrade to a transport without upgrades. A server may ignore such an offer
 * (RFC 9110, section 7.8), so the request is answered like one without an offer. Node does not manage the connection of an
 * upgrade request any more, so the connection ends with the answer.
 */
function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as Socket)
  response.once("finish", () => (socket as Socket).destroySoon())
  socket.on("error", () => socket.destroy())
  // Node's parser has stopped, so the end of the request has to be signalled here. A GET has no body.
  request.push(null)
  return response
}

/** The transport that serves a request, and the mounted path: `/socket` for a request of `/socket/websocket`. */
interface Route {
  readonly transport: HttpTransport
  readonly path: string
}

function routeOf(attached: ReadonlySet<Attachment>, request: IncomingMessage): Route | undefined {
  const requested = pathOf(request)
  for (const { endpoint, transports } of attached) {
    for (const transport of transports) {
      const path = endpoint.paths(transport.name).find((mounted) => requested === `${mounted}/${transport.name}`)
      if (path !== undefined) return { transport, path }
    }
  }
  return undefined
}
