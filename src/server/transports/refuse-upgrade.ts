import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { UNCACHED } from "./websocket/upgrade-request.ts"

/**
 * Answers a connection that asked for an upgrade with an HTTP status, and ends it.
 *
 * Node has let go of such a connection: a reset would be nobody's error, which ends the process, and no timeout would
 * ever close the side of a client that does not.
 *
 * @param protocol the subprotocol that the client is to see agreed on
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
