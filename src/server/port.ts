import type { Server as HttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ConfigError, kindOf, RollcallError } from "../error.ts"
import { quote } from "../quote.ts"

/**
 * How many connections may wait to be accepted. Operating systems limit this number, most of them to 4096.
 *
 * When a node shuts down, all of its clients connect to the others at once. A connection beyond the backlog is dropped,
 * and its client tries again a second later. Node's default of 511 is too small for that.
 */
const BACKLOG = 4_096

/**
 * Returns a port as a number. As in Node, it may be given as a string, such as the value of an environment variable.
 * @param what names the value in the message
 * @throws ConfigError for a value that is no port number, such as the path of a Unix socket
 */
export function portOf(what: string, port: unknown): number {
  const number = typeof port === "string" && port.trim() !== "" ? Number(port) : port
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 65_535) return number
  throw new ConfigError(`expected ${what} from 0 to 65535, got ${described(port)}`)
}

function described(port: unknown): string {
  if (typeof port === "number") return String(port)
  if (port === undefined || port === null) return "nothing: is the environment variable with the port set?"
  if (typeof port !== "string") return kindOf(port)
  const path = "for a Unix socket or a pipe, attach the server to an HTTP server that listens on it"
  return `${JSON.stringify(port)}${/[/\\]/.test(port) ? `: ${path}` : ""}`
}

/**
 * Makes an HTTP server listen on a port, and returns its address.
 *
 * @param onError called with the errors that the HTTP server reports later, for example when it cannot accept a connection
 * @throws RollcallError `address_in_use`; ConfigError for a port or a host that this program cannot listen on
 */
export async function openPort(
  http: HttpServer,
  { port, host }: { readonly port: number; readonly host?: string | undefined },
  onError: (error: unknown) => void,
): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject)
    http.listen({ port, host, backlog: BACKLOG }, () => {
      http.off("error", reject)
      // Without a listener, an error of one connection would end the process.
      http.on("error", onError)
      resolve()
    })
  }).catch((cause: NodeJS.ErrnoException) => {
    throw cannotListen(port, host, cause)
  })
  return http.address() as AddressInfo
}

/** Returns the error for a port that is in use. */
export function addressInUse(port: number, cause?: unknown): RollcallError {
  const remedy = "end the program that listens on it, or choose another port"
  const message = `expected port ${port} to be free, got one that is in use: ${remedy}`
  return new RollcallError("address_in_use", message, { cause })
}

/** Returns the error for a port that cannot be opened. An error that is not about the port or the host stays as it is. */
function cannotListen(port: number, host: string | undefined, cause: NodeJS.ErrnoException): Error {
  const of = host === undefined ? "" : ` of ${quote(host)}`
  switch (cause.code) {
    case "EADDRINUSE":
      return addressInUse(port, cause)
    case "EACCES":
    case "EPERM":
      return new ConfigError(
        `expected a port that this program may open, got port ${port}${of}: the system refuses it (${cause.code}). Choose a ` +
          "port above 1023, or give the program the right to open lower ones",
        { cause },
      )
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAFNOSUPPORT":
      return new ConfigError(
        `expected host to be an address or a name of this machine, got ${quote(host ?? "")} (${cause.code}): leave host out ` +
          'to listen on all of its addresses, or choose "127.0.0.1" or "::1" to serve this machine only',
        { cause },
      )
    default:
      return cause
  }
}

/** Returns the URL of an HTTP server on this host and port. */
export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`
}
