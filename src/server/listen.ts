import { createServer } from "node:http"
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { RollcallError } from "../error.ts"
import type { Endpoint } from "./transport.ts"
import { websockets } from "./transports/websocket.ts"

/** Where to listen. */
export interface ListenOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** The interface's address; by default all of them. */
  readonly host?: string
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

/** Opens a port and serves the endpoint there. @throws RollcallError `address_in_use` */
export async function listen(endpoint: Endpoint, options: ListenOptions): Promise<Listening> {
  const http = createServer(options.request ?? notFound)
  const detach = attach(endpoint, http)
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject)
    http.listen(options.port, options.host, resolve)
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause
    throw new RollcallError("address_in_use", `expected port ${options.port} to be free, but another program has it`, {
      cause,
    })
  })
  const { port, address } = http.address() as AddressInfo
  const host = options.host ?? "localhost"
  return {
    port,
    host: address,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    async close() {
      await detach()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

/** Serves the endpoint's paths on an HTTP server; all others stay with the listeners that it has. Returns its undo. */
export function attach(endpoint: Endpoint, http: HttpServer): () => Promise<void> {
  const websocket = websockets(endpoint)
  const others = http.listeners("request") as ((request: IncomingMessage, response: ServerResponse) => void)[]

  function onRequest(this: HttpServer, request: IncomingMessage, response: ServerResponse): void {
    if (websocket.matches(request)) websocket.refuse(request, response)
    else for (const other of others) other.call(this, request, response)
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (websocket.matches(request)) websocket.upgrade(request, socket, head)
    // Somebody else's upgrade is left to them; when there is nobody else, it would hang for ever.
    else if (http.listenerCount("upgrade") === 1)
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 9\r\n\r\nnot found")
  }

  // A request listener cannot stop the ones before it, so it takes their place and hands on what is not its own.
  http.removeAllListeners("request")
  http.on("request", onRequest)
  http.on("upgrade", onUpgrade)

  return async () => {
    http.off("upgrade", onUpgrade)
    http.off("request", onRequest)
    for (const other of others) http.on("request", other)
    await websocket.close()
  }
}

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(404, { "content-type": "text/plain" }).end("not found")
}
