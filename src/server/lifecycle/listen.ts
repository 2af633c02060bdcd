import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { openPort, urlOf } from "../port.ts"
import type { Endpoint } from "../transport.ts"
import { attach } from "../transports/attach.ts"

/** Where to listen. */
export interface ListenOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** The interface's address; by default all of them. */
  readonly host?: string
  /** How many processes serve the port; by default this one does. */
  readonly workers?: number
  /**
   * A port of its own for those who run the server, at `127.0.0.1` unless a host is named: `/metrics` for Prometheus,
   * `/health`, and `/ready`, which is 503 while no clients should be sent here. With `workers` it tells of all of them.
   * Needs `prom-client`.
   */
  readonly operations?: number | { readonly port: number; readonly host?: string }
  /**
   * The signals at which the server closes, and its process then ends as the signal would have had it; one more ends it at
   * once. By default SIGTERM and SIGINT; `false`: none. Where the program listens to the signal, too, ending is left to it.
   * Workers close when their primary's server does, whatever is said here, and are sent the first of these, or SIGTERM, then.
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
  /** The same of its operations' port, where it has one. */
  readonly operations?: string
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

/** Opens a port and serves the endpoint there. @throws RollcallError `address_in_use` */
export async function listen(endpoint: Endpoint, options: ListenOptions): Promise<OpenPort> {
  // Node's own patience with a client that does not finish its request is a minute, looked at twice a minute.
  const headersTimeout = Math.min(endpoint.limits.handshakeTimeoutMs, MAX_TIMEOUT_MS)
  const patience = { headersTimeout, connectionsCheckingInterval: Math.ceil(headersTimeout / 2) }
  const http = createServer(patience, options.request ?? notFound)
  const detach = attach(endpoint, http)
  const { port, address } = await openPort(http, options.port, options.host)
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

/** Has forked processes of this program serve the port, and serves nothing itself: each refuses and drains when it is asked. */
export async function listenInWorkers({ secret, limits }: Endpoint, options: ListenOptions): Promise<OpenPort> {
  const { forkWorkers } = await import("./workers.ts")
  const [signal = "SIGTERM"] = options.signals || []
  const ending = { signal, graceMs: limits.drainTimeoutMs + GRACE_MS }
  const { port, address, close } = await forkWorkers(options.workers ?? 1, secret, ending)
  return { listening: { ...placeOf(options, port, address), close }, refuse: () => undefined }
}

function placeOf({ host = "localhost" }: ListenOptions, port: number, address: string): Omit<Listening, "close"> {
  return { port, host: address, url: urlOf(host, port) }
}

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { "content-type": "text/plain" }).end("not found")
}
