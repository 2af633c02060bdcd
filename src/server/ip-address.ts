/** An IP address as eight groups of 16 bits. An IPv4 address is in the last two, as in `::ffff:203.0.113.8`. */
export type IpAddress = readonly number[]

/** The first six groups of each IPv4 address. */
const IPV4_PREFIX = [0, 0, 0, 0, 0, 0xffff]

/**
 * Reads an address as proxies and Node write it: `203.0.113.8`, `203.0.113.8:50000`, `2001:db8::1`, `[2001:db8::1]:50000`,
 * `::ffff:203.0.113.8`, `fe80::1%eth0`. Returns `undefined` for any other text.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1]
  const withoutPort = bracketed ?? text.replace(/^([\d.]+):\d+$/, "$1")
  const address = withoutPort.replace(/%[^%]*$/, "")
  if (!address.includes(":")) {
    const last = bracketed === undefined ? parseIpv4(address) : undefined
    return last && [...IPV4_PREFIX, ...last]
  }
  return parseIpv6(address)
}

/** Returns the usual spelling of an address, without a port: an IPv4 address for each of its spellings. */
export function formatIpAddress(groups: IpAddress): string {
  if (isIpv4(groups))
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".")
  // A URL shortens the longest run of zeros, as RFC 5952 demands.
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1)
}

/**
 * Returns the name under which the connections of a client are counted: its IPv4 address, or the first 64 bits of its IPv6
 * address. One subscriber owns all of the 2^64 addresses that begin with these bits, and could use another one each time.
 */
export function subscriberOf(address: string): string {
  if (!address.includes(":")) return address
  const groups = parseIpAddress(address)
  if (groups === undefined) return address
  return isIpv4(groups) ? formatIpAddress(groups) : `${formatIpAddress([...groups.slice(0, 4), 0, 0, 0, 0])}/64`
}

/** A range of addresses: those whose first bits are those of `address`. */
export interface IpRange {
  readonly address: IpAddress
  readonly bits: number
}

/** Reads `10.0.0.0/8`, `2001:db8::/32`, or one address. Returns `undefined` for any other text. */
export function parseIpRange(text: string): IpRange | undefined {
  const [written = "", size, ...rest] = text.split("/")
  const address = /[[\]%]|\.\d+:/.test(written) ? undefined : parseIpAddress(written)
  if (address === undefined || rest.length > 0 || (size !== undefined && !/^\d{1,3}$/.test(size))) return undefined
  const prefix = written.includes(":") ? 0 : 96
  const bits = size === undefined ? 128 : prefix + Number(size)
  return bits <= 128 ? { address, bits } : undefined
}

export function isInRange(groups: IpAddress, { address, bits }: IpRange): boolean {
  return groups.every((group, at) => {
    const compared = Math.min(Math.max(bits - at * 16, 0), 16)
    return group >> (16 - compared) === (address[at] as number) >> (16 - compared)
  })
}

const isIpv4 = (groups: IpAddress): boolean => IPV4_PREFIX.every((group, at) => groups[at] === group)

function parseIpv4(text: string): readonly [number, number] | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined
  const [a, b, c, d] = text.split(".").map(Number) as [number, number, number, number]
  return Math.max(a, b, c, d) > 255 ? undefined : [a * 256 + b, c * 256 + d]
}

function parseIpv6(text: string): IpAddress | undefined {
  const parts = text.split("::")
  const [head = "", tail, ...more] = parts.map((part, at) => parseGroups(part, at === parts.length - 1))
  if (head === "" || tail === "" || more.length > 0) return undefined
  if (tail === undefined) return head.length === 8 ? head : undefined
  const zeros = 8 - head.length - tail.length
  return zeros > 0 ? [...head, ...Array.from({ length: zeros }, () => 0), ...tail] : undefined
}

/**
 * Reads groups between colons. Those at the end of an address may end with an IPv4 address, which is two groups. Returns `""`
 * for other text.
 */
function parseGroups(text: string, isEnd: boolean): number[] | "" {
  if (text === "") return []
  const groups: number[] = []
  const parts = text.split(":")
  for (const [at, part] of parts.entries()) {
    const ipv4 = isEnd && at === parts.length - 1 ? parseIpv4(part) : undefined
    if (ipv4 !== undefined) groups.push(...ipv4)
    else if (/^[\da-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16))
    else return ""
  }
  return groups
}
