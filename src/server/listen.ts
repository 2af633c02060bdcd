import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { RollcallError } from "../error.ts"
import type { Endpoint } from "./transport.ts"
import { attach } from "./transports/attach.ts"

/** Where to listen. */
export interface ListenOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** The interface's address; by default all of them. */
  readonly host?: string
  /** How many processes serve the port; by default this one does. */
  readonly workers?: number
  /**
   * The signals at which the server closes, and its process then ends as the signal would have had it; one more ends it at
   * once. By default SIGTERM and SIGINT; `false`: none. Where the program listens to the signal, too, ending is left to it.
   */
  readonly signals?: readonly NodeJS.Signals[] | false
  /** Serves what is no socket's: pages, say. By default everything else is 404. */
  readonly request?: (request: IncomingMessage, response: ServerResponse) => void
}

/** A server that listens. */
export interface Listening {
  readonly port: number
  readonly host: string
  /** `http://host:port`, as it can be asked from this machine. */
  readonly url: string
  close(): Promise<void>
}

/** What a server holds of a port that it has opened. */
export interface OpenPort {
  readonly listening: Listening
  /** Lets no connection in any more; those that there are stay until `listening` is closed. */
  refuse(): void
}

/** The most that Node takes for the head of a request: its limit for all of it. */
const MAX_TIMEOUT_MS = 300_000

/**
 * How many connections may wait to be taken in; systems allow no more. Of clients that come together, from a node that
 * ends, say, those beyond are not heard before they repeat themselves a second later: Node's own 511 are soon full.
 */
const BACKLOG = 4_096

/** Opens a port and serves the endpoint there. @throws RollcallError `address_in_use` */
export async function listen(endpoint: Endpoint, options: ListenOptions): Promise<OpenPort> {
  // Node's own patience with a client that does not finish its request is a minute, looked at twice a minute.
  const headersTimeout = Math.min(endpoint.limits.handshakeTimeoutMs, MAX_TIMEOUT_MS)
  const patience = { headersTimeout, connectionsCheckingInterval: Math.ceil(headersTimeout / 2) }
  const http = createServer(patience, options.request ?? notFound)
  const detach = attach(endpoint, http)
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject)
    http.listen({ port: options.port, host: options.host, backlog: BACKLOG }, resolve)
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause
    throw new RollcallError("address_in_use", `expected port ${options.port} to be free, but another program has it`, {
      cause,
    })
  })
  const { port, address } = http.address() as AddressInfo
  const closed = new Promise((resolve) => http.once("close", resolve))
  const refuse = (): void => void http.close()
  async function close(): Promise<void> {
    refuse()
    await detach()
    http.closeAllConnections()
    await closed
  }
  return { listening: { ...placeOf(options, port, address), close }, refuse }
}

/** What a worker may take to end beyond its drain: for the last answers, what `left` handlers still do, and the bus, in ms. */
const GRACE_MS = 15_000

/** Has forked processes of this program serve the port, and serves nothing itself: each refuses and drains by itself. */
export async function listenInWorkers({ secret, limits }: Endpoint, options: ListenOptions): Promise<OpenPort> {
  const { forkWorkers } = await import("./workers.ts")
  const [signal = "SIGTERM"] = options.signals || []
  const ending = { signal, graceMs: limits.drainTimeoutMs + GRACE_MS }
  const { port, address, close } = await forkWorkers(options.workers ?? 1, secret, ending)
  return { listening: { ...placeOf(options, port, address), close }, refuse: () => undefined }
}

function placeOf({ host = "localhost" }: ListenOptions, port: number, address: string): Omit<Listening, "close"> {
  return { port, host: address, url: `http://${host.includes(":") ? `[${host}]` : host}:${port}` }
}

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { "content-type": "text/plain" }).end("not found")
}
