import type { Server as HttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ConfigError, RollcallError } from "../error.ts"

/**
 * How many connections may wait to be accepted. Operating systems limit this number, most of them to 4096.
 *
 * When a node shuts down, all of its clients connect to the others at once. A connection beyond the backlog is dropped,
 * and its client tries again a second later. Node's default of 511 is too small for that.
 */
const BACKLOG = 4_096

/** @throws ConfigError for a value that is no port number; `what` names the value in the message */
export function checkPort(what: string, port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return
  throw new ConfigError(`expected ${what} from 0 to 65535, got ${port}`)
}

/**
 * Makes an HTTP server listen on a port, and returns its address.
 *
 * @param onError called with the errors that the HTTP server reports later, for example when it cannot accept a connection
 * @throws RollcallError `address_in_use`; ConfigError for a value that is no port number
 */
export async function openPort(
  http: HttpServer,
  { port, host }: { readonly port: number; readonly host?: string | undefined },
  onError: (error: unknown) => void,
): Promise<AddressInfo> {
  checkPort("a port", port)
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject)
    http.listen({ port, host, backlog: BACKLOG }, () => {
      http.off("error", reject)
      // Without a listener, an error of one connection would end the process.
      http.on("error", onError)
      resolve()
    })
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause
    throw new RollcallError("address_in_use", `expected port ${port} to be free, got one that is in use`, { cause })
  })
  return http.address() as AddressInfo
}

/** Returns the URL of an HTTP server on this host and port. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}
