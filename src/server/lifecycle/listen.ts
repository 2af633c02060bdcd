import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Logger } from "../logger.ts"
import { once } from "../once.ts"
import { openPort, urlOf } from "../port.ts"
import type { Endpoint } from "../transport.ts"
import { attach } from "../transports/attach.ts"
import { endSlowBody } from "../transports/slow-body.ts"
import { guardDescriptors } from "./descriptor-guard.ts"
import { httpServerSettings } from "./http-settings.ts"
import type { CheckedListenOptions } from "./listen-options.ts"
import type { Entrance } from "./shutdown.ts"

/** A port that is open. */
export interface OpenPort extends Entrance {
  readonly port: number
  readonly host: string
  readonly url: string
}

/** Opens a port, and serves an endpoint on it. @throws RollcallError `address_in_use` */
export async function listen(endpoint: Endpoint, options: CheckedListenOptions, logger: Logger): Promise<OpenPort> {
  const settings = httpServerSettings(options, endpoint.limits.handshakeTimeoutMs)
  const http = createServer(settings.options, options.request ?? notFoundAt(endpoint))
  http.maxRequestsPerSocket = settings.maxRequestsPerSocket
  const guard = guardDescriptors(http, { count: endpoint.count, logger, timers: endpoint.timers })
  const detach = attach(endpoint, http)
  const onError = (error: unknown): void => {
    if (!guard.takes(error)) logger.error("an HTTP server reported an error", { port: options.port, error })
  }
  const { port, address } = await openPort(http, options, onError).catch(async (error: unknown) => {
    guard.stop()
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
    guard.stop()
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
