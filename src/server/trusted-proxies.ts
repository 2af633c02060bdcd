import { ConfigError, kindOf } from "../error.ts"
import { quote } from "../quote.ts"
import { isInRange, parseIpAddress, parseIpRange } from "./ip-address.ts"
import type { IpRange } from "./ip-address.ts"

/** The option `trustProxy`. */
export type TrustProxy = boolean | number | string | readonly string[]

/** The proxies between the clients and a server whose `X-Forwarded-*` headers are trusted. */
export interface TrustedProxies {
  /**
   * Returns the number of trusted proxies that a request has passed. If it is 0, no header of the request is trusted.
   * @param peer the address of the other end of the connection
   * @param forwardedFor the addresses of `X-Forwarded-For`; the proxy at the other end wrote the last one
   */
  passed(peer: string | undefined, forwardedFor: readonly string[]): number
}

/** Names for the addresses of a machine itself and of private networks. */
const NAMED: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["loopback", ["127.0.0.0/8", "::1"]],
  ["linklocal", ["169.254.0.0/16", "fe80::/10"]],
  ["uniquelocal", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
])

/** @throws ConfigError for a value that is neither a boolean, a whole number of 0 or more, nor addresses */
export function trustedProxies(option: TrustProxy = false): TrustedProxies {
  if (typeof option === "object" || (typeof option === "string" && !/^\d+$/.test(option))) return byAddress(option)
  return byNumber(proxiesOf(option))
}

/**
 * Returns the number of trusted proxies; 0 when they are given by their addresses.
 * @throws ConfigError for a value that is neither a boolean, a whole number of 0 or more, nor a text or list
 */
export function proxiesOf(option: TrustProxy = false): number {
  if (typeof option === "object" && option !== null) return 0
  const proxies = typeof option === "string" && !/^\d+$/.test(option) ? 0 : Number(option)
  if (Number.isSafeInteger(proxies) && proxies >= 0) return proxies
  throw new ConfigError(`expected trustProxy to be true, false or a number of proxies, got ${String(option)}`)
}

/**
 * Each proxy appends an address. With fewer addresses, a request has not passed all of the proxies, and its client may have
 * written the headers. A single proxy that writes no addresses at all is trusted, like one that is known by its address.
 */
function byNumber(proxies: number): TrustedProxies {
  return {
    passed: (_peer, { length }) => (length >= proxies || (proxies === 1 && length === 0) ? proxies : 0),
  }
}

function byAddress(option: string | readonly string[] | null): TrustedProxies {
  const texts: unknown = typeof option === "string" ? option.split(",").map((text) => text.trim()) : option
  if (!Array.isArray(texts))
    throw new ConfigError(`expected trustProxy to be a list of addresses, got ${kindOf(texts)}`)
  const written = (texts as unknown[]).flatMap((text): unknown[] => [...(NAMED.get(text) ?? [text])])
  const ranges = written.map(rangeOf)
  const isTrusted = (address: string | undefined): boolean => {
    const groups = address === undefined ? undefined : parseIpAddress(address)
    return groups !== undefined && ranges.some((range) => isInRange(groups, range))
  }
  return {
    passed(peer, forwardedFor) {
      let passed = 0
      while (isTrusted(passed === 0 ? peer : forwardedFor.at(-passed))) {
        // A request of which all addresses are trusted comes from the first of them.
        if (passed === forwardedFor.length) return Math.max(passed, 1)
        passed += 1
      }
      return passed
    },
  }
}

function rangeOf(text: unknown): IpRange {
  const range = typeof text === "string" ? parseIpRange(text) : undefined
  if (range !== undefined) return range
  const names = `${[...NAMED.keys()].join(", ")}, an address or a range such as "10.0.0.0/8"`
  throw new ConfigError(
    `expected trustProxy to name ${names}, got ${typeof text === "string" ? quote(text) : kindOf(text)}`,
  )
}
