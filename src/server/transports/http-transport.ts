import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"

/** One way for clients to reach an endpoint over HTTP: it serves `<path>/<name>` of every path that lets it in. */
export interface HttpTransport {
  /** The last part of its address: `websocket` serves `/socket/websocket`. */
  readonly name: string
  /** Answers a request for its address at a mounted path. Never throws. */
  request(request: IncomingMessage, response: ServerResponse, path: string): void
  /** Takes a connection over that asks for it; a transport without this refuses. Never throws. */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, path: string): void
  /** Ends what is still open and resolves when all that it had to say is out. */
  close(): Promise<void>
}
