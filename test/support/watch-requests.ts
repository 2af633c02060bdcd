import type { IncomingMessage, Server as HttpServer } from "node:http"

/**
 * Calls `onRequest` with each request of an HTTP server, once it has been dispatched. A listener does not get the requests of an
 * attached server.
 */
export function watchRequests(http: HttpServer, onRequest: (request: IncomingMessage) => void): void {
  const emit = http.emit.bind(http) as (event: string, ...args: unknown[]) => boolean
  http.emit = (event: string, ...args: unknown[]): boolean => {
    const isHandled = emit(event, ...args)
    if (event === "request") onRequest(args[0] as IncomingMessage)
    return isHandled
  }
}
