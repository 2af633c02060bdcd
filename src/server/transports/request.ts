import type { EventEmitter } from "node:events"
import type { IncomingMessage } from "node:http"
import type { Admission, Endpoint, Handshake } from "../transport.ts"

/** A request's URL as its client sees it, or `undefined` when what it sent makes none. */
export function urlOf({ proxies }: Endpoint, request: IncomingMessage): URL | undefined {
  const scheme = forwarded(request, "x-forwarded-proto", proxies)
  const isEncrypted = scheme === undefined ? "encrypted" in request.socket : /^(https|wss)$/i.test(scheme)
  const host = forwarded(request, "x-forwarded-host", proxies) ?? request.headers.host ?? "localhost"
  const { url = "" } = request
  // A path is put behind the host, never resolved against it: what begins with two slashes would name a host of its own.
  const target = url.startsWith("/") ? `${isEncrypted ? "https" : "http"}://${host}${url}` : url
  return URL.canParse(target) ? new URL(target) : undefined
}

function addressOf({ proxies }: Endpoint, request: IncomingMessage): string {
  return forwarded(request, "x-forwarded-for", proxies) ?? request.socket.remoteAddress ?? ""
}

/**
 * What the outermost trusted proxy wrote to a header. Each adds to the end, so what stands further left came from
 * outside, where anyone writes what he likes.
 */
function forwarded({ headers }: IncomingMessage, name: string, proxies: number): string | undefined {
  const header = proxies > 0 ? headers[name] : undefined
  if (header === undefined) return undefined
  const written = String(header).split(",")
  return (written.at(-proxies) ?? written[0])?.trim() || undefined
}

/** The mounted path that a request is for, when it asks for this transport of it: `/socket` for `/socket/websocket`. */
export function mountOf(endpoint: Endpoint, request: IncomingMessage, transport: string): string | undefined {
  const [path = ""] = (request.url ?? "").split("?", 1)
  // Slashes are between parts, one or many (recorded case 12).
  const plain = path.replace(/\/+/g, "/").replace(/\/$/, "")
  return endpoint.paths(transport).find((mount) => plain === `${mount}/${transport}`)
}

/**
 * Asks the endpoint for admission. The answer is `undefined` when the client is gone before, or when it takes longer
 * than `handshakeTimeoutMs`.
 *
 * @param wire what emits `close` when the client is gone
 */
export async function knock(
  endpoint: Endpoint,
  request: IncomingMessage,
  wire: EventEmitter,
  details: { readonly path: string; readonly url: URL; readonly authToken: string | undefined },
): Promise<Admission | undefined> {
  const { timers, limits, count } = endpoint
  const gone = new AbortController()
  const aborted = new Promise<undefined>((resolve) => gone.signal.addEventListener("abort", () => resolve(undefined)))
  const leave = (): void => gone.abort()
  wire.once("close", leave)
  const late = (): void => {
    count("handshake_timeouts")
    leave()
  }
  const timer = timers.set(late, limits.handshakeTimeoutMs)
  const { path, url, authToken } = details
  const params = Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(url.searchParams))
  const handshake: Handshake = {
    path,
    params,
    headers: request.headers,
    address: addressOf(endpoint, request),
    url,
    signal: gone.signal,
    ...(authToken === undefined ? {} : { authToken }),
  }
  try {
    return await Promise.race([endpoint.admit(handshake), aborted])
  } finally {
    timers.clear(timer)
    wire.off("close", leave)
  }
}
