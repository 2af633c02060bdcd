import type { EventEmitter } from "node:events"
import type { IncomingMessage } from "node:http"
import { isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import { nestedParams } from "../nested-params.ts"
import type { Admission, Endpoint, Handshake } from "../transport.ts"
import type { TrustedProxies } from "../trusted-proxies.ts"
import { clientAddress, forwarded } from "./forwarded.ts"
import { headersOf, hostOf } from "./http-versions.ts"

/**
 * Returns a request's URL as its client sees it. Returns `undefined` when path and host make no valid URL. As in Phoenix, it
 * also returns `undefined` when the query is badly encoded or is not UTF-8.
 */
export function requestedUrl({ trustedProxies: proxies }: Endpoint, request: IncomingMessage): URL | undefined {
  const scheme = forwarded(request, "x-forwarded-proto", proxies)
  const isEncrypted = scheme === undefined ? "encrypted" in request.socket : /^(https|wss)$/i.test(scheme)
  const host = forwarded(request, "x-forwarded-host", proxies) ?? hostOf(request)
  const { url = "" } = request
  // A host with any of these characters would become another part of the URL, such as a path in front of the requested one.
  // Without one, the first part of the path would become the host.
  if (host === undefined || host === "" || /[\s/?#@\\]/.test(host)) return undefined
  // The path is appended to the host, not resolved against it: when resolved, `//evil.example/socket` would name another host.
  const target = url.startsWith("/") ? `${isEncrypted ? "https" : "http"}://${host}${url}` : url
  try {
    const parsed = new URL(target)
    decodeURIComponent(parsed.search)
    return parsed
  } catch {
    return undefined
  }
}

/** Returns the path of a request, without empty segments: `//socket///websocket/` is `/socket/websocket` (recorded case 12). */
export function pathOf(request: Pick<IncomingMessage, "url">): string {
  const { url = "" } = request
  const query = url.indexOf("?")
  const written = query < 0 ? url : url.slice(0, query)
  const path = written.includes("//") ? written.replace(/\/{2,}/g, "/") : written
  return path.endsWith("/") ? path.slice(0, -1) : path
}

/** The parts of a handshake that a transport has read from its request. */
interface HandshakeRequest {
  readonly path: string
  readonly url: URL
  readonly authToken: string | undefined
}

/**
 * A handshake over HTTP. Its address and signal are created when they are first read: the address costs a system call, and the
 * signal costs as much as the rest of the handshake.
 */
class HttpHandshake implements Handshake {
  readonly path: string
  readonly url: URL
  readonly params: Handshake["params"]
  readonly headers: Handshake["headers"]
  declare readonly authToken?: string
  readonly #request: IncomingMessage
  readonly #proxies: TrustedProxies
  #abortController: AbortController | undefined
  #isAborted = false

  constructor(request: IncomingMessage, proxies: TrustedProxies, { path, url, authToken }: HandshakeRequest) {
    this.path = path
    this.url = url
    this.params = nestedParams(url.searchParams) as Handshake["params"]
    this.headers = headersOf(request)
    if (authToken !== undefined) this.authToken = authToken
    this.#request = request
    this.#proxies = proxies
  }

  get address(): string {
    return clientAddress(this.#request, this.#proxies)
  }

  get signal(): AbortSignal {
    this.#abortController ??= new AbortController()
    if (this.#isAborted) this.#abortController.abort()
    return this.#abortController.signal
  }

  abort(): void {
    this.#isAborted = true
    this.#abortController?.abort()
  }
}

/** The handshakes of one transport on one HTTP server. */
export class Handshakes {
  readonly #endpoint: Endpoint
  /** The functions that end the handshakes which the endpoint has not answered yet. */
  readonly #pending = new Set<() => void>()

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  /**
   * Asks the endpoint whether a client may connect. Returns the answer itself when the endpoint decides synchronously.
   * Otherwise it returns a promise, which resolves to `undefined` when the client disconnects first, when the transport
   * closes, or when the decision takes longer than `handshakeTimeoutMs`.
   *
   * @param connection emits `close` when the client has disconnected
   */
  requestAdmission(
    request: IncomingMessage,
    connection: EventEmitter,
    parts: HandshakeRequest,
  ): Awaitable<Admission | undefined> {
    const { timers, limits, count, trustedProxies } = this.#endpoint
    const handshake = new HttpHandshake(request, trustedProxies, parts)
    const admission = this.#endpoint.admit(handshake)
    if (!isPromise(admission)) return admission
    return new Promise((resolve) => {
      const settle = (admission?: Admission): void => {
        timers.clear(timer)
        connection.off("close", abort)
        this.#pending.delete(abort)
        resolve(admission)
      }
      const abort = (): void => {
        handshake.abort()
        settle()
      }
      const onTimeout = (): void => {
        count("handshake_timeouts")
        abort()
      }
      const timer = timers.set(onTimeout, limits.handshakeTimeoutMs)
      connection.once("close", abort)
      this.#pending.add(abort)
      void admission.then(settle)
    })
  }

  /**
   * Ends the handshakes that are not answered yet. One that is accepted after its transport has closed would be a
   * connection that nothing closes, and its HTTP server would wait for the client to end it.
   */
  close(): void {
    for (const abort of this.#pending) abort()
  }
}
