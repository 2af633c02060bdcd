import { ConfigError } from "../../error.ts"

/**
 * The web pages that may connect (P3). Only browsers send an `Origin`; a client without one is always accepted.
 *
 * - `true`: pages of the host that the client connects to
 * - `"conn"`: of the same host, scheme and port
 * - a list of origins: `https://a.com` (the scheme's default port), `//a.com:888` (any scheme), `//*.a.com` (`a.com`
 *   and its subdomains, any scheme and port)
 * - a function that returns whether an origin is allowed
 * - `false`: all pages
 */
export type Origins = boolean | "conn" | readonly string[] | ((origin: URL) => boolean)

/**
 * Returns whether pages of an origin may connect.
 * @param url the requested URL, with scheme, host and port as the client sees them
 */
export function originAllowed(origins: Origins, origin: string | undefined, url: URL): boolean {
  if (origin === undefined || origins === false) return true
  if (!URL.canParse(origin)) return false
  const from = new URL(origin)
  if (origins === true) return from.hostname === url.hostname
  if (origins === "conn") return from.host === url.host && from.protocol === url.protocol.replace("ws", "http")
  if (typeof origins === "function") return origins(from)
  return origins.some((pattern) => matches(pattern, from))
}

/** An optional scheme, a host, an optional port: `https://a.com`, `//a.com:888`, `//*.a.com`. */
const PATTERN = /^(?<scheme>[a-z][a-z\d+.-]*:)?\/\/(?<host>(?:\*\.)?[^/:*]+|\[[\da-f:.]+\])(?::(?<port>\d+))?$/i

/** @throws ConfigError for a pattern that no origin could match */
export function checkOrigins(origins: Origins): void {
  if (!Array.isArray(origins)) return
  for (const pattern of origins as readonly string[]) {
    if (!PATTERN.test(pattern)) {
      throw new ConfigError(`expected an origin like "https://a.com", "//a.com:888" or "//*.a.com", got "${pattern}"`)
    }
  }
}

function matches(pattern: string, from: URL): boolean {
  const { scheme, host = "", port = standardPort(scheme) } = PATTERN.exec(pattern.toLowerCase())?.groups ?? {}
  if (scheme !== undefined && scheme !== from.protocol) return false
  if (port !== undefined && port !== effectivePort(from)) return false
  if (!host.startsWith("*.")) return host === from.hostname
  return from.hostname === host.slice(2) || from.hostname.endsWith(host.slice(1))
}

const effectivePort = (url: URL): string | undefined => url.port || standardPort(url.protocol)

const standardPort = (scheme = ""): string | undefined => ({ "http:": "80", "https:": "443" })[scheme]
