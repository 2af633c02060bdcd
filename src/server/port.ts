import type { Server as HttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ConfigError, RollcallError } from "../error.ts"

/**
 * How many connections may wait to be accepted; systems allow no more. When a node ends, its clients come here together:
 * beyond the backlog they are only noticed a second later, when they repeat themselves, and Node's own 511 are soon full.
 */
const BACKLOG = 4_096

/** Makes an HTTP server listen. @throws RollcallError `address_in_use`; ConfigError */
export async function openPort(http: HttpServer, port: number, host: string | undefined): Promise<AddressInfo> {
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new ConfigError(`expected a port from 0 to 65535, got ${port}`)
  }
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject)
    http.listen({ port, host, backlog: BACKLOG }, resolve)
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause
    throw new RollcallError("address_in_use", `expected port ${port} to be free, but another program has it`, { cause })
  })
  return http.address() as AddressInfo
}

/** The URL of a server on this host and port. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}
