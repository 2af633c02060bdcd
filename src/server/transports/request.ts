import type { IncomingMessage } from "node:http"
import type { Endpoint, Handshake } from "../transport.ts"

/** A request's URL as its client sees it, or `undefined` when what it sent makes none. */
export function urlOf(request: IncomingMessage): URL | undefined {
  const encrypted = "encrypted" in request.socket
  const base = `${encrypted ? "https" : "http"}://${request.headers.host ?? "localhost"}`
  return URL.canParse(request.url ?? "", base) ? new URL(request.url ?? "", base) : undefined
}

/** The mounted path that a request is for, when it asks for this transport of it: `/socket` for `/socket/websocket`. */
export function mountOf(endpoint: Endpoint, request: IncomingMessage, transport: string): string | undefined {
  const [path = ""] = (request.url ?? "").split("?", 1)
  return endpoint.paths.find((mount) => path === `${mount}/${transport}` || path === `${mount}/${transport}/`)
}

/** What a request says of its client. */
export function handshakeOf(
  request: IncomingMessage,
  path: string,
  url: URL,
  details: { readonly signal: AbortSignal; readonly authToken: string | undefined },
): Handshake {
  const params = Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(url.searchParams))
  return {
    path,
    params,
    headers: request.headers,
    address: request.socket.remoteAddress ?? "",
    url,
    signal: details.signal,
    ...(details.authToken === undefined ? {} : { authToken: details.authToken }),
  }
}
