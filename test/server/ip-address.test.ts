import fc from "fast-check"
import { BlockList, isIP } from "node:net"
import { describe, expect, it } from "vitest"
import { formatIpAddress, isInRange, parseIpAddress, parseIpRange } from "../../src/server/ip-address.ts"

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6()
const written = (text: string): string | undefined => {
  const address = parseIpAddress(text)
  return address && formatIpAddress(address)
}

describe("an IP address", () => {
  it("is read in each of its spellings, with or without a port", () => {
    fc.assert(
      fc.property(ipv4, (text) => {
        expect(written(text)).toBe(text)
      }),
    )
    fc.assert(
      fc.property(ipv6, fc.nat(65_535), (text, port) => {
        const usual = written(text) as string
        expect(isIP(usual)).toBe(usual.includes(":") ? 6 : 4)
        for (const same of [usual, `[${text}]`, `[${text}]:${port}`, text.toUpperCase()])
          expect(written(same)).toBe(usual)
      }),
    )
  })

  it("contains an IPv4 address at its end only", () => {
    for (const text of ["::1.2.3.4", "1::1.2.3.4", "1:2:3:4:5:6:1.2.3.4"]) expect(parseIpAddress(text)).toBeDefined()
    for (const text of ["1.2.3.4::", "1.2.3.4::1", "1:1.2.3.4::1"]) expect(parseIpAddress(text)).toBeUndefined()
  })

  it("is not read from a text that Node does not take for one", () => {
    const almost = fc.string({ unit: fc.constantFrom(...":.0159af"), maxLength: 20 })
    fc.assert(
      fc.property(almost, (text) => {
        const withoutPort = text.replace(/^([\d.]+):\d+$/, "$1")
        // Node refuses zeros in front of a decimal number, which some proxies write.
        if (!/(^|[.:])0\d+\./.test(text) && !/\.0\d+/.test(text))
          expect(parseIpAddress(text) !== undefined).toBe(isIP(withoutPort) !== 0)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("a range of addresses", () => {
  it("contains the addresses that Node's BlockList finds in it", () => {
    const check = (type: "ipv4" | "ipv6") => (address: string, base: string, bits: number) => {
      const list = new BlockList()
      list.addSubnet(base, bits, type)
      const range = parseIpRange(`${base}/${bits}`)
      expect(isInRange(parseIpAddress(address) as number[], range as NonNullable<typeof range>)).toBe(
        list.check(address, type),
      )
    }
    fc.assert(fc.property(ipv4, ipv4, fc.nat(32), check("ipv4")))
    // Addresses of IPv4 in IPv6 are IPv4 addresses here.
    const ipv6Only = ipv6.filter((text) => written(text)?.includes(":") === true)
    fc.assert(fc.property(ipv6Only, ipv6Only, fc.nat(128), check("ipv6")))
  })
})
