import type { EventEmitter } from "node:events"
import type { IncomingMessage } from "node:http"
import { isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { Admission, Endpoint, Handshake } from "../transport.ts"

/**
 * A request's URL as its client sees it, or `undefined` when what it sent makes none, or one whose query is no UTF-8 or
 * badly encoded, which Phoenix refuses as well.
 */
export function urlOf({ proxies }: Endpoint, request: IncomingMessage): URL | undefined {
  const scheme = forwarded(request, "x-forwarded-proto", proxies)
  const isEncrypted = scheme === undefined ? "encrypted" in request.socket : /^(https|wss)$/i.test(scheme)
  const host = forwarded(request, "x-forwarded-host", proxies) ?? request.headers.host
  const { url = "" } = request
  if (host === undefined) return undefined
  // A path is put behind the host, never resolved against it: what begins with two slashes would name a host of its own.
  const target = url.startsWith("/") ? `${isEncrypted ? "https" : "http"}://${host}${url}` : url
  try {
    const read = new URL(target)
    decodeURIComponent(read.search)
    return read
  } catch {
    return undefined
  }
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

/** The path that a request asks for. Slashes are between parts, one or many (recorded case 12). */
export function pathOf(request: IncomingMessage): string {
  const [path = ""] = (request.url ?? "").split("?", 1)
  return path.replace(/\/{2,}/g, "/").replace(/\/$/, "")
}

/**
 * What a client says when it knocks. What few want to know is looked up when they do: the address costs a system call, and
 * a signal as much as all the rest.
 */
class HttpHandshake implements Handshake {
  readonly path: string
  readonly url: URL
  readonly params: Handshake["params"]
  readonly headers: Handshake["headers"]
  declare readonly authToken?: string
  readonly #request: IncomingMessage
  readonly #proxies: number
  #gone: AbortController | undefined
  #isGone = false

  constructor(request: IncomingMessage, proxies: number, { path, url, authToken }: Asked) {
    this.path = path
    this.url = url
    const params = Object.create(null) as Record<string, string>
    for (const [name, value] of url.searchParams) params[name] = value
    this.params = params
    this.headers = request.headers
    if (authToken !== undefined) this.authToken = authToken
    this.#request = request
    this.#proxies = proxies
  }

  get address(): string {
    return forwarded(this.#request, "x-forwarded-for", this.#proxies) ?? this.#request.socket.remoteAddress ?? ""
  }

  get signal(): AbortSignal {
    this.#gone ??= new AbortController()
    if (this.#isGone) this.#gone.abort()
    return this.#gone.signal
  }

  leave(): void {
    this.#isGone = true
    this.#gone?.abort()
  }
}

/** What a transport has read of a request. */
interface Asked {
  readonly path: string
  readonly url: URL
  readonly authToken: string | undefined
}

/**
 * RelayClient the endpoint for admission. Where that is not given or refused at once, the answer is `undefined` when the client is
 * gone before it comes, or when it takes longer than `handshakeTimeoutMs`.
 *
 * @param wire what emits `close` when the client is gone
 */
export function requestAdmission(
  endpoint: Endpoint,
  request: IncomingMessage,
  wire: EventEmitter,
  asked: Asked,
): Awaitable<Admission | undefined> {
  const { timers, limits, count, proxies } = endpoint
  const handshake = new HttpHandshake(request, proxies, asked)
  const admission = endpoint.admit(handshake)
  if (!isPromise(admission)) return admission
  return new Promise((resolve) => {
    const end = (admission?: Admission): void => {
      timers.clear(timer)
      wire.off("close", leave)
      resolve(admission)
    }
    const leave = (): void => {
      handshake.leave()
      end()
    }
    const late = (): void => {
      count("handshake_timeouts")
      leave()
    }
    const timer = timers.set(late, limits.handshakeTimeoutMs)
    wire.once("close", leave)
    void admission.then(end)
  })
}
