import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

/** One way for clients to reach an endpoint over HTTP. It serves `<path>/<name>` for each mounted path that allows it. */
export interface HttpTransport {
  /** The last segment of its URL path: `websocket` serves `/socket/websocket`. */
  readonly name: string
  /** Answers an HTTP request. `path` is the mounted path, for example `/socket`. Never throws. */
  request(request: IncomingMessage, response: ServerResponse, path: string): void
  /** Handles an upgrade request. Without this method, `request` answers upgrades that use GET. Never throws. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, path: string): void
  /** Closes all connections. Resolves once everything that was sent has left, or after a grace period. */
  close(): Promise<void>
}
