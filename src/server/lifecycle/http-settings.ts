import { ConfigError, kindOf } from "../../error.ts"
import { MAX_MS } from "../limits.ts"

/** The settings of `node:http` that `listen` passes on. Their names, units and defaults are Node's, where no other is given. */
export interface HttpSettings {
  /**
   * How long an idle connection stays open after an answer, in ms. Default 5000. Behind a load balancer, choose more than the
   * load balancer's own idle timeout: otherwise it sends requests on connections that have just been closed.
   */
  readonly keepAliveTimeout?: number
  /** How long a client may take to send the head of a request, in ms. 0 means no limit. Default `handshakeTimeoutMs`. */
  readonly headersTimeout?: number
  /** How long a client may take to send a whole request, in ms. 0 means no limit. Default 300 000. */
  readonly requestTimeout?: number
  /** The maximum size of a request's head, in bytes. Default 16 KiB, or what `node --max-http-header-size` says. */
  readonly maxHeaderSize?: number
  /** How many requests one connection may send before it is closed. Default 0, which means no limit. */
  readonly maxRequestsPerSocket?: number
}

/** The settings as `createServer` and the server of `node:http` take them. */
export interface HttpServerSettings {
  /** For `createServer`. */
  readonly options: Omit<HttpSettings, "maxRequestsPerSocket"> & { readonly connectionsCheckingInterval: number }
  /** A property of the server. */
  readonly maxRequestsPerSocket: number
}

const NAMES = ["keepAliveTimeout", "headersTimeout", "requestTimeout", "maxHeaderSize", "maxRequestsPerSocket"] as const

/** Node's default for the time of a whole request, in ms. */
const REQUEST_TIMEOUT_MS = 300_000
/** Node's default for the interval in which it looks for requests that take too long, in ms. */
const CHECKING_INTERVAL_MS = 30_000

/**
 * @throws ConfigError for a setting that is no whole number of 0 or more, for a time of more than 24 days, or for a head that
 * may take longer than its request
 */
export function checkHttpSettings(settings: HttpSettings): void {
  for (const name of NAMES) {
    const value: unknown = settings[name]
    const isTime = name.endsWith("Timeout")
    if (isTime && typeof value === "number" && value > MAX_MS) {
      throw new ConfigError(`expected ${name} to be at most ${MAX_MS} ms, got ${value}`)
    }
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) continue
    const got = typeof value === "number" ? value : kindOf(value)
    throw new ConfigError(`expected ${name} to be a whole number of 0 or more, got ${got}`)
  }
  const { headersTimeout = 0, requestTimeout = REQUEST_TIMEOUT_MS } = settings
  if (requestTimeout === 0 || headersTimeout <= requestTimeout) return
  throw new ConfigError(
    `expected headersTimeout to be at most requestTimeout, which is ${requestTimeout}, got ${headersTimeout}`,
  )
}

/** Returns the settings of an HTTP server. @param handshakeTimeoutMs the default of `headersTimeout` */
export function httpServerSettings(settings: HttpSettings, handshakeTimeoutMs: number): HttpServerSettings {
  const { keepAliveTimeout, maxHeaderSize, maxRequestsPerSocket = 0, requestTimeout = REQUEST_TIMEOUT_MS } = settings
  const { headersTimeout = Math.min(handshakeTimeoutMs, requestTimeout || REQUEST_TIMEOUT_MS) } = settings
  // Node looks only every 30 s for requests that take too long.
  const shortest = Math.min(headersTimeout || Infinity, requestTimeout || Infinity)
  const connectionsCheckingInterval = Math.min(Math.ceil(shortest / 2), CHECKING_INTERVAL_MS)
  return {
    options: {
      headersTimeout,
      requestTimeout,
      connectionsCheckingInterval,
      ...(keepAliveTimeout !== undefined && { keepAliveTimeout }),
      ...(maxHeaderSize !== undefined && { maxHeaderSize }),
    },
    maxRequestsPerSocket,
  }
}
