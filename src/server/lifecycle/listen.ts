import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Logger } from "../logger.ts"
import { once } from "../once.ts"
import { openPort, urlOf } from "../port.ts"
import type { Endpoint } from "../transport.ts"
import { attach } from "../transports/attach.ts"
import { endSlowBody } from "../transports/slow-body.ts"
import type { ListenOptions } from "./listen-options.ts"
import type { Entrance } from "./shutdown.ts"

/** A port that is open. */
export interface OpenPort extends Entrance {
  readonly port: number
  readonly host: string
  readonly url: string
}

/** The longest time that Node accepts for reading a request's head, in ms. It is Node's limit for the whole request. */
const MAX_TIMEOUT_MS = 300_000

/** Opens a port, and serves an endpoint on it. @throws RollcallError `address_in_use` */
export async function listen(endpoint: Endpoint, options: ListenOptions, logger: Logger): Promise<OpenPort> {
  // By default Node waits a minute for a request's head, and checks this only every 30 s.
  const headersTimeout = Math.min(endpoint.limits.handshakeTimeoutMs, MAX_TIMEOUT_MS)
  const timeouts = { headersTimeout, connectionsCheckingInterval: Math.ceil(headersTimeout / 2) }
  const http = createServer(timeouts, options.request ?? notFoundAt(endpoint))
  const detach = attach(endpoint, http)
  const { port, address } = await openPort(http, options, (error) => {
    logger.error("an HTTP server reported an error", { port: options.port, error })
  }).catch(async (error: unknown) => {
    await detach()
    throw error
  })
  const closed = new Promise((resolve) => http.once("close", resolve))
  const stopAccepting = (): void => void http.close()
  const close = once(async () => {
    stopAccepting()
    await detach()
    http.closeAllConnections()
    await closed
  })
  return { port, host: address, url: urlOf(options.host ?? "localhost", port), stopAccepting, close }
}

/** Returns a listener that answers with 404. A body that is posted to an unknown path ends like one to the endpoint. */
function notFoundAt(endpoint: Endpoint) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    endSlowBody(request, endpoint)
    request.resume()
    response.writeHead(404, { "content-type": "text/plain" }).end("not found")
  }
}
