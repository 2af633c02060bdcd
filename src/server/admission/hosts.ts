import { ConfigError, kindOf } from "../../error.ts"
import { quote } from "../../quote.ts"
import { matchesHost, parseHostPattern } from "./host-pattern.ts"

/**
 * The hosts that a request may name: `a.com` (any port), `a.com:4000`, `*.a.com` (`a.com` and its subdomains), `[::1]`.
 *
 * Without this check, any web site can let its own name point to the address of this server (DNS rebinding). Its pages are
 * then pages of the host that they connect to, so that `origins: true` allows them.
 */
export type Hosts = readonly string[]

/**
 * Returns whether a request may name a host.
 * @param url the requested URL, with scheme, host and port as the client sees them
 */
export function hostAllowed(hosts: Hosts | undefined, url: URL): boolean {
  return hosts === undefined || hosts.some((host) => matches(host, url))
}

/** @throws ConfigError for a value that is no list, or a host that no request could name */
export function checkHosts(hosts: unknown): void {
  if (hosts === undefined) return
  if (!Array.isArray(hosts)) throw new ConfigError(`expected hosts to be a list of hosts, got ${kindOf(hosts)}`)
  for (const host of hosts as unknown[]) {
    if (typeof host === "string" && patternOf(host) !== undefined) continue
    const got = typeof host === "string" ? quote(host) : kindOf(host)
    throw new ConfigError(`expected a host like "a.com", "a.com:4000", "*.a.com" or "[::1]", got ${got}`)
  }
}

/** Hosts have no scheme. With or without the slashes of an origin's pattern, they mean the same. */
const patternOf = (host: string): ReturnType<typeof parseHostPattern> =>
  host.includes("//") && !host.startsWith("//") ? undefined : parseHostPattern(`//${host.replace(/^\/\//, "")}`)

function matches(host: string, url: URL): boolean {
  const pattern = patternOf(host)
  if (pattern === undefined || !matchesHost(pattern, url.hostname)) return false
  const { port } = pattern
  if (port === undefined || port === url.port) return true
  // The scheme of a client behind a proxy is not always known. Without a port, the host's port is that of either scheme.
  return url.port === "" && (port === "80" || port === "443")
}
