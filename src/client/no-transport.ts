/** Where no connection can be made: on a server that renders a page. */
import { ConfigError } from "../error.ts"
import type { ConnectionReason } from "./connect-options.ts"
import type { SocketOptions } from "./phoenix.ts"

/**
 * Returns why no connection can be made here, if it cannot: outside of pages, workers and apps there must be a transport, and a full URL.
 * Node has a `WebSocket`, too, but a server that renders a page must not connect for each request.
 *
 * @throws ConfigError for a transport that is no class, such as `"websocket"`
 */
export function noTransport(
  endPoint: string,
  { transport }: Pick<SocketOptions, "transport">,
): ConnectionReason | undefined {
  if (transport && typeof transport !== "function") {
    throw new ConfigError(`expected transport to be a class, got ${JSON.stringify(transport)}`)
  }
  // A page and a worker have a location. React Native has only a window.
  const canConnect =
    typeof location !== "undefined" || (!endPoint.startsWith("/") && (transport || typeof window !== "undefined"))
  if (canConnect) return undefined
  const detail = 'expected a page, or a full URL and a transport such as the WebSocket of "ws"'
  return { code: "no_transport", detail }
}
