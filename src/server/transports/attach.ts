import { ServerResponse } from "node:http"
import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { once } from "../once.ts"
import type { Endpoint } from "../transport.ts"
import type { AttachableServer } from "./attachable.ts"
import { intercept } from "./interception.ts"
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

/** The endpoints that are attached to one HTTP server, and the function that ends their interception. */
interface Attached {
  readonly attachments: Set<Attachment>
  readonly stop: () => void
}

/** The attached endpoints of each HTTP server. They share one interception, so that each request is answered once. */
const attachedTo = new WeakMap<AttachableServer, Attached>()

/**
 * Serves an endpoint's paths on an HTTP server. All other requests go to the listeners of the HTTP server, no matter which
 * of them were added before this call and which later.
 *
 * Returns a function that detaches the endpoint. Its promise resolves once the endpoint's last answer has left. It may be called
 * more than once. The last endpoint that is detached leaves the HTTP server as it was.
 */
export function attach(endpoint: Endpoint, http: AttachableServer): () => Promise<void> {
  const attachment = { endpoint, transports: TRANSPORTS.map((transport) => transport(endpoint)) }
  const attached = attachedTo.get(http) ?? interceptRequests(http)
  attached.attachments.add(attachment)
  return once(async () => {
    attached.attachments.delete(attachment)
    if (attached.attachments.size === 0 && attachedTo.get(http) === attached) {
      attachedTo.delete(http)
      attached.stop()
    }
    await Promise.all(attachment.transports.map((transport) => transport.close()))
  })
}

function reportUnknownPath(attachments: ReadonlySet<Attachment>, request: IncomingMessage): void {
  const [first] = attachments
  first?.endpoint.unknownPath(pathOf(request))
}

function interceptRequests(http: AttachableServer): Attached {
  const attachments = new Set<Attachment>()
  const stop = intercept(http, {
    serves: (request) => routeOf(attachments, request) !== undefined,
    request(request, response) {
      const route = routeOf(attachments, request)
      route?.transport.request(request, response, route.path)
      if (route === undefined && pathOf(request).endsWith("/longpoll")) reportUnknownPath(attachments, request)
      return route !== undefined
    },
    upgrade(request, socket, head) {
      const route = routeOf(attachments, request)
      if (route?.transport.upgrade !== undefined) route.transport.upgrade(request, socket, head, route.path)
      else if (route !== undefined && request.method === "GET") {
        route.transport.request(request, responseOn(socket, request), route.path)
      } else if (route !== undefined) refuseUpgrade(socket, 404, "not found")
      return route !== undefined
    },
    unserved: (request) => reportUnknownPath(attachments, request),
  })
  const attached = { attachments, stop }
  attachedTo.set(http, attached)
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

function routeOf(attached: ReadonlySet<Attachment>, request: Pick<IncomingMessage, "url">): Route | undefined {
  const requested = pathOf(request)
  for (const { endpoint, transports } of attached) {
    for (const transport of transports) {
      const end = `/${transport.name}`
      if (!requested.endsWith(end)) continue
      const path = requested.slice(0, -end.length)
      if (endpoint.paths(transport.name).includes(path)) return { transport, path }
    }
  }
  return undefined
}
