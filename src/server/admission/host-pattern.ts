/** A host as the two sides of a comparison write it in the same way: in punycode, lower case, without default spellings. */
export interface HostPattern {
  /** With its colon, such as `https:`; `undefined` for any. */
  readonly scheme: string | undefined
  /** The host, or the domain of which all subdomains match, too. It is empty for `file://`. */
  readonly host: string
  readonly isWildcard: boolean
  /** `undefined` for any. */
  readonly port: string | undefined
}

/** An optional scheme, a host, an optional port. A scheme of an app may stand without a host, as in `file://`. */
const PATTERN =
  /^(?<scheme>[a-z][a-z\d+.-]*:)?\/\/(?<wildcard>\*\.)?(?<host>[^/?#@\\\s:*[\]]*|\[[\da-f:.]+\])(?::(?<port>\d{1,5}))?$/i

/** The schemes of web pages always have a host. */
const WEB: ReadonlySet<unknown> = new Set(["http:", "https:", undefined])

/** Reads `https://a.com`, `//a.com:888`, `//*.a.com` or `file://`. Returns `undefined` for a text that could match nothing. */
export function parseHostPattern(text: string): HostPattern | undefined {
  const groups = PATTERN.exec(text)?.groups
  if (groups === undefined) return undefined
  const scheme = groups["scheme"]?.toLowerCase()
  const isWildcard = groups["wildcard"] !== undefined
  const { host: written = "", port } = groups
  if (written === "")
    return isWildcard || port !== undefined || WEB.has(scheme) ? undefined : { scheme, host: "", isWildcard, port }
  const host = canonicalHost(written)
  if (host === undefined || (isWildcard && host.startsWith("[")) || Number(port) > 65_535) return undefined
  return { scheme, host, isWildcard, port: port === undefined ? standardPort(scheme) : String(Number(port)) }
}

/**
 * Returns whether a host matches.
 * @param host in the spelling of `canonicalHost`
 */
export function matchesHost({ host: expected, isWildcard }: HostPattern, host: string): boolean {
  return host === expected || (isWildcard && host.endsWith(`.${expected}`))
}

/**
 * Returns the one spelling of a host: `bücher.example` and `xn--bcher-kva.example` are one host, and so are `[::1]` and
 * `[0:0:0:0:0:0:0:1]`. Returns `undefined` for a text that is no host.
 */
export function canonicalHost(host: string): string | undefined {
  try {
    // The scheme of an app, such as `app://`, leaves a host as it is written. With `http`, it is always normalized.
    return new URL(`http://${decodeURIComponent(host)}`).hostname
  } catch {
    return undefined
  }
}

/** Returns the port of a URL, also if it is the standard one, which URLs leave out. */
export const portOf = (url: URL): string | undefined => url.port || standardPort(url.protocol)

const standardPort = (scheme = ""): string | undefined => ({ "http:": "80", "https:": "443" })[scheme]
