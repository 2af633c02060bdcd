import type { IncomingMessage, ServerResponse } from "node:http"
import type { IncomingHttpHeaders } from "node:http2"
import type { Duplex } from "node:stream"
import type { AttachableServer } from "./attachable.ts"
import { UNCACHED } from "./http-headers.ts"
import { makesRequests } from "./http2-streams.ts"
import { refuseUpgrade } from "./refuse-upgrade.ts"

/** Handles some of the requests of an HTTP server. */
export interface Interceptor {
  /** Returns whether it would handle a request of this URL. */
  serves(request: Pick<IncomingMessage, "url">): boolean
  /** Returns whether it has handled the request. */
  request(request: IncomingMessage, response: ServerResponse): boolean
  /** Returns whether it has handled the upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
  /** Called for an upgrade that nothing handles. It is refused with 404. */
  unserved(request: IncomingMessage): void
}

type Emit = (this: AttachableServer, event: string | symbol, ...args: unknown[]) => boolean

/**
 * Shows an interceptor all requests of an HTTP server before its listeners see them. The listeners get the requests that the
 * interceptor does not handle. Without any listener, those requests are answered with 404. Returns a function that ends this.
 *
 * This replaces `emit`, because a listener cannot hide an event from the other listeners, and some of them break requests that are
 * not theirs: a `WebSocketServer` of `ws` with a `path` answers upgrades of all other paths with 400. It makes no difference
 * whether the listeners were added before or after this call.
 */
export function intercept(http: AttachableServer, interceptor: Interceptor): () => void {
  const server = http as AttachableServer & { emit: Emit }
  const own = Object.getOwnPropertyDescriptor(server, "emit")
  const { emit } = server
  let isActive = true

  const hasNoListener = (event: string): boolean => server.listeners(event).every((listener) => listener === listenOnly)

  /** Whether the program handles the streams of HTTP/2 by itself, besides Node, which makes requests of them. */
  const hasStreamListener = (): boolean => server.listeners("stream").some((listener) => !makesRequests(listener))

  const handle = (event: string | symbol, args: unknown[]): boolean => {
    const [request, target, head] = args
    if (event === "request") return handleRequest(request as IncomingMessage, target as ServerResponse)
    if (event === "upgrade") return handleUpgrade(request as IncomingMessage, target as Duplex, head as Buffer)
    if (event === "stream") return handleStream(args, target as IncomingHttpHeaders)
    if (event === "checkContinue") return handleContinue(request as IncomingMessage, target as ServerResponse)
    return false
  }
  /** Node emits `checkContinue` in place of `request` if the client waits for "100 Continue" and the program listens to it. */
  const handleContinue = (request: IncomingMessage, response: ServerResponse): boolean => {
    const isHandled = interceptor.request(request, response)
    if (isHandled && !response.headersSent) response.writeContinue()
    return isHandled
  }
  const handleRequest = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (interceptor.request(request, response)) return true
    if (!hasNoListener("request") || hasStreamListener()) return false
    response.writeHead(404, { "content-type": "text/plain", ...UNCACHED }).end("not found")
    return true
  }
  /** Hides the streams of our requests from the program's listeners, which would answer them, too. */
  const handleStream = (args: unknown[], headers: IncomingHttpHeaders): boolean => {
    const isOurs = hasStreamListener() && interceptor.serves({ url: headers[":path"] })
    for (const listener of isOurs ? server.listeners("stream") : []) {
      if (makesRequests(listener)) listener.apply(server, args)
    }
    return isOurs
  }
  const handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
    if (interceptor.upgrade(request, socket, head)) return true
    // Another upgrade listener may serve this path. Without one, nothing else would ever answer the connection.
    if (!hasNoListener("upgrade")) return false
    interceptor.unserved(request)
    refuseUpgrade(socket, 404, "not found")
    return true
  }
  const interceptingEmit: Emit = function (event, ...args) {
    return (isActive && handle(event, args)) || emit.call(this, event, ...args)
  }

  server.emit = interceptingEmit
  // Node emits `upgrade`, and HTTP/2 servers emit `request`, only if there is a listener.
  server.on("upgrade", listenOnly).on("request", listenOnly)
  return () => {
    isActive = false
    server.off("upgrade", listenOnly).off("request", listenOnly)
    // If the program has replaced `emit` since, its function calls this one, which does nothing any more.
    if (server.emit !== interceptingEmit) return
    if (own === undefined) delete (server as { emit?: Emit }).emit
    else Object.defineProperty(server, "emit", own)
  }
}

function listenOnly(): void {
  // The interceptor has handled the event already, or the other listeners handle it.
}
