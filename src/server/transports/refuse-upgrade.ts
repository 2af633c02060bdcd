import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { UNCACHED } from "./http-headers.ts"

/**
 * Answers an upgrade request with an HTTP status, and closes its connection.
 *
 * Node does not manage such a connection any more. Without the `error` listener, a reset by the client would end the process.
 * Without the `destroy`, a client that keeps its side open would hold the connection for ever.
 *
 * @param protocol the agreed subprotocol, which the answer names
 */
export function refuseUpgrade(raw: Duplex, status: number, body = "", protocol?: string): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Cache-Control: ${UNCACHED["cache-control"]}`,
  ]
  if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`)
  raw.on("error", () => raw.destroy())
  raw.once("finish", () => raw.destroy())
  raw.end(`${lines.join("\r\n")}\r\n\r\n${body}`)
}
