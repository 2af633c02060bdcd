import { ConfigError, kindOf } from "../../error.ts"
import { quote } from "../../quote.ts"
import { isPromise } from "../awaitable.ts"
import { canonicalHost, matchesHost, parseHostPattern, portOf } from "./host-pattern.ts"

/**
 * The web pages that may connect (P3). Only browsers send an `Origin`; a client without one is always accepted.
 *
 * - `true`: pages of the host that the client connects to
 * - `"conn"`: of the same host, scheme and port
 * - a list of origins: `https://a.com` (the scheme's default port), `//a.com:888` (any scheme), `//*.a.com` (`a.com`
 *   and its subdomains, any scheme and port), `file://` (pages of some apps). International names may be written as they
 *   are read or in punycode, and IPv6 addresses in any spelling.
 *
 *   The list may contain `"null"`. Any web site can send this origin, from a sandboxed frame: allow it only where `connect`
 *   requires a token that other sites do not have.
 * - a function that returns whether an origin is allowed, not a promise of it. It is called with each origin, and with the header as it was sent.
 *   For `null`, and for a header that is no URL, the origin is the URL `null:`, which has no host.
 * - `false`: all pages
 */
export type Origins = boolean | "conn" | readonly string[] | ((origin: URL, header: string) => boolean)

/** A page without an origin of its own, such as one in a sandboxed frame, sends this header. */
const OPAQUE = "null"

/**
 * Returns whether pages of an origin may connect.
 * @param origin the header; `undefined` for a client that is not a page
 * @param url the requested URL, with scheme, host and port as the client sees them
 */
export function originAllowed(origins: Origins, origin: string | undefined, url: URL): boolean {
  if (origin === undefined || origins === false) return true
  const header = decodeUtf8(origin)
  const from = URL.canParse(header) ? new URL(header) : undefined
  if (typeof origins === "function") return decided(origins(from ?? new URL("null:"), header))
  if (from === undefined) return header === OPAQUE && Array.isArray(origins) && origins.includes(OPAQUE)
  const host = from.hostname === "" ? "" : canonicalHost(from.hostname)
  if (host === undefined) return false
  if (origins === true) return host === url.hostname
  if (origins === "conn") {
    return host === url.hostname && from.port === url.port && from.protocol === url.protocol.replace("ws", "http")
  }
  return origins.some((pattern) => matches(pattern, from, host))
}

/**
 * Returns the decision of an application's function.
 * @throws ConfigError for a promise: it would count as true, so an `async` function would allow every page
 */
function decided(isAllowed: unknown): boolean {
  if (!isPromise(isAllowed)) return Boolean(isAllowed)
  void Promise.resolve(isAllowed).catch(() => undefined)
  throw new ConfigError("expected origins to return true or false, got a promise: look up what it needs beforehand")
}

/** @throws ConfigError for a value that is no `Origins`, or a pattern that no origin could match */
export function checkOrigins(origins: unknown): void {
  if (typeof origins === "boolean" || typeof origins === "function" || origins === "conn") return
  if (!Array.isArray(origins)) {
    throw new ConfigError(`expected origins to be true, "conn", a list, a function or false, got ${shown(origins)}`)
  }
  for (const pattern of origins as unknown[]) {
    if (pattern === OPAQUE || isPattern(pattern)) continue
    const examples = '"https://a.com", "//a.com:888", "//*.a.com", "file://" or "null"'
    throw new ConfigError(`expected an origin like ${examples}, got ${shown(pattern)}`)
  }
}

const shown = (value: unknown): string => (typeof value === "string" ? quote(value) : kindOf(value))

const isPattern = (pattern: unknown): boolean => typeof pattern === "string" && parseHostPattern(pattern) !== undefined

function matches(text: string, from: URL, host: string): boolean {
  const pattern = parseHostPattern(text)
  if (pattern === undefined || !matchesHost(pattern, host)) return false
  const { scheme, port } = pattern
  return (scheme === undefined || scheme === from.protocol) && (port === undefined || port === portOf(from))
}

/** Node reads headers as Latin-1. A client that does not write a host in punycode sends it in UTF-8. */
function decodeUtf8(header: string): string {
  if (!/[\u0080-\u00ff]/.test(header)) return header
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(header, (char) => char.charCodeAt(0)))
  } catch {
    return header
  }
}
