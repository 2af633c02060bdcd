/** Where no connection can be made: on a server that renders a page. */
import type { ConnectionReason } from "./connect-options.ts"
import type { SocketOptions } from "./phoenix.ts"

/**
 * Returns why no connection can be made here, if it cannot: outside of pages, workers and apps there must be a transport, and a full URL.
 * Node has a `WebSocket`, too, but a server that renders a page must not connect for each request.
 */
export function noTransport(endPoint: string, { transport }: SocketOptions): ConnectionReason | undefined {
  // A page and a worker have a location. React Native has only a window.
  if (typeof location !== "undefined") return undefined
  const isRelative = endPoint.startsWith("/")
  if (!isRelative && (transport || typeof window !== "undefined")) return undefined
  const expected = isRelative ? "a full URL" : 'a transport, such as the WebSocket of "ws",'
  return { code: "no_transport", detail: `expected ${expected} where there is no page, got none` }
}
