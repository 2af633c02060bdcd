import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Handshake, Origins, ServerOptions, TrustProxy } from "../../../src/server/index.ts"
import { Inbox } from "../../support/inbox.ts"
import { serve } from "../../support/serve.ts"

/** Connects with these headers. Returns how the connection began, and what `connect` sees of the client. */
async function connectWith(options: ServerOptions, headers: Record<string, string>, origins?: Origins) {
  const handshakes = new Inbox<Handshake>("handshakes")
  const { client } = await serve((server) => {
    const connect = (handshake: Handshake) => (handshakes.put(handshake), {})
    server.socket("/socket", { connect, ...(origins === undefined ? {} : { origins }) })
  }, options)
  const { beginning } = await client("", headers)
  const [handshake] = handshakes.items
  const { protocol, hostname } = handshake?.url ?? {}
  return { beginning, address: handshake?.address, protocol, hostname }
}

const refused = { event: "http-refused", status: 403, body: "" }
const FORWARDED = {
  "X-Forwarded-For": "203.0.113.9",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "app.example",
}

describe("a server behind a proxy (trustProxy)", () => {
  it("takes a client's address, scheme and host from the proxy's headers", async () => {
    expect(await connectWith({ trustProxy: true }, FORWARDED)).toMatchObject({
      address: "203.0.113.9",
      protocol: "https:",
      hostname: "app.example",
    })
  })

  it("ignores these headers by default, because clients can write them, too", async () => {
    const own = { address: "127.0.0.1", protocol: "http:", hostname: "127.0.0.1" }
    expect(await connectWith({}, FORWARDED)).toMatchObject(own)
    expect(await connectWith({ trustProxy: false }, FORWARDED)).toMatchObject(own)
  })

  it.each([
    [1, "203.0.113.9"],
    [2, "198.51.100.7"],
    [3, "6.6.6.6"],
  ])("with %i proxies, ignores the values further left, which the client wrote itself", async (trustProxy, address) => {
    const headers = { "X-Forwarded-For": "6.6.6.6, 198.51.100.7,203.0.113.9" }
    expect(await connectWith({ trustProxy }, headers)).toMatchObject({ address })
  })

  it.each([
    [2, "6.6.6.6"],
    [9, "6.6.6.6, 198.51.100.7,203.0.113.9"],
  ])(
    "with %i proxies, believes no address of %s: the request has not passed all of them",
    async (trustProxy, entries) => {
      expect(await connectWith({ trustProxy }, { "X-Forwarded-For": entries })).toMatchObject({ address: "127.0.0.1" })
    },
  )

  it.each([
    ["203.0.113.8", "203.0.113.8"],
    ["203.0.113.8:50000", "203.0.113.8"],
    ["::ffff:203.0.113.8", "203.0.113.8"],
    ["[::ffff:cb00:7108]:443", "203.0.113.8"],
    ["[2001:DB8:0:0::1]:50000", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["unknown", "127.0.0.1"],
    ["203.0.113.256", "127.0.0.1"],
    ["", "127.0.0.1"],
  ])("reads the address %j as %s", async (entry, address) => {
    expect(await connectWith({ trustProxy: true }, { "X-Forwarded-For": entry })).toMatchObject({ address })
  })

  it.each<[TrustProxy, string, string]>([
    ["loopback", "203.0.113.8", "203.0.113.8"],
    ["loopback", "6.6.6.6, 203.0.113.8", "203.0.113.8"],
    [["127.0.0.1", "10.0.0.0/8"], "203.0.113.8, 10.1.2.3", "203.0.113.8"],
    [["loopback", "10.0.0.0/8"], "6.6.6.6, 203.0.113.8, [::ffff:10.1.2.3]:80", "203.0.113.8"],
    ["loopback, uniquelocal", "6.6.6.6, 203.0.113.8, 172.31.0.1, 192.168.1.1, fd00::1", "203.0.113.8"],
    ["loopback, uniquelocal", "10.0.0.1, 10.0.0.2", "10.0.0.1"],
    [["10.0.0.0/8"], "203.0.113.8", "127.0.0.1"],
    [[], "203.0.113.8", "127.0.0.1"],
    ["loopback", "nonsense", "127.0.0.1"],
    ["1", "6.6.6.6, 203.0.113.8", "203.0.113.8"],
  ])("trusts the proxies with the addresses %j: of %j the client is %s", async (trustProxy, entries, address) => {
    expect(await connectWith({ trustProxy }, { "X-Forwarded-For": entries })).toMatchObject({ address })
  })

  it("believes a host and scheme only of a proxy whose address it trusts", async () => {
    const { "X-Forwarded-For": _, ...headers } = FORWARDED
    expect(await connectWith({ trustProxy: "loopback" }, headers)).toMatchObject({
      hostname: "app.example",
      protocol: "https:",
    })
    expect(await connectWith({ trustProxy: "10.0.0.0/8" }, headers)).toMatchObject({
      hostname: "127.0.0.1",
      protocol: "http:",
    })
  })

  it.each<[TrustProxy, string | undefined]>([
    [2, "6.6.6.6"],
    [2, undefined],
    [3, "6.6.6.6, 203.0.113.8"],
    ["2", "6.6.6.6"],
    ["10.0.0.0/8", "6.6.6.6"],
  ])(
    "believes no scheme and no host either of a request that has not passed all proxies: %j, addresses %s",
    async (trustProxy, addresses) => {
      const { "X-Forwarded-For": _, ...forged } = FORWARDED
      const headers = { ...forged, ...(addresses !== undefined && { "X-Forwarded-For": addresses }) }
      const own = { address: "127.0.0.1", protocol: "http:", hostname: "127.0.0.1" }
      expect(await connectWith({ trustProxy }, headers)).toMatchObject(own)
      const page = { ...headers, Origin: "https://app.example" }
      expect((await connectWith({ trustProxy }, page, true)).beginning).toEqual(refused)
    },
  )

  it("believes scheme and host of a request that has passed all proxies, also if only the outermost wrote them", async () => {
    const headers = { ...FORWARDED, "X-Forwarded-For": "203.0.113.8, 10.1.2.3" }
    const seen = { address: "203.0.113.8", protocol: "https:", hostname: "app.example" }
    for (const trustProxy of [2, ["loopback", "10.0.0.0/8"]]) {
      expect(await connectWith({ trustProxy }, headers)).toMatchObject(seen)
    }
  })

  it("takes from the request what the proxy's headers do not contain", async () => {
    const headers = { "X-Forwarded-For": "", "X-Forwarded-Proto": "gopher" }
    expect(await connectWith({ trustProxy: true }, headers)).toMatchObject({ address: "127.0.0.1", protocol: "http:" })
  })

  it("refuses an invalid host", async () => {
    const { beginning } = await connectWith({ trustProxy: true }, { "X-Forwarded-Host": "[" })
    expect(beginning).toMatchObject({ event: "http-refused", status: 400 })
  })

  it.each<[string, Origins]>([
    ["of the same host", true],
    ["of the same scheme, host and port", "conn"],
  ])("finds a page's origin %s as the client sees the server (P3)", async (_what, origins) => {
    const headers = { ...FORWARDED, Origin: "https://app.example" }
    expect((await connectWith({ trustProxy: true }, headers, origins)).beginning).toEqual({ event: "open" })
    expect((await connectWith({}, headers, origins)).beginning).toEqual(refused)
  })

  it("limits connections by the client's address, not by the proxy's", async () => {
    const { client } = await serve((server) => server.socket("/socket"), {
      trustProxy: true,
      maxConnectionsPerAddress: 1,
    })
    const from = async (address: string) => (await client("", { "X-Forwarded-For": address })).beginning
    expect(await from("203.0.113.1")).toEqual({ event: "open" })
    expect(await from("203.0.113.2")).toEqual({ event: "open" })
    expect(await from("203.0.113.1")).toMatchObject({ event: "http-refused", status: 429 })
  })

  it.each<[string, readonly string[]]>([
    ["IPv4", ["203.0.113.8:50000", "203.0.113.8", "::ffff:203.0.113.8", "[::ffff:203.0.113.8]:1", "::ffff:cb00:7108"]],
    [
      "IPv6, with all others of its 64 bits",
      ["2001:db8:1:2::1", "[2001:db8:1:2::1]:443", "2001:db8:1:2:ffff::9", "2001:0DB8:1:2:a:b:c:d"],
    ],
  ])("counts the spellings of one %s address as one, and those of another one not", async (_what, spellings) => {
    const { client } = await serve((server) => server.socket("/socket"), {
      trustProxy: true,
      maxConnectionsPerAddress: 1,
    })
    const from = async (address: string) => (await client("", { "X-Forwarded-For": address })).beginning
    const [first, ...others] = spellings
    expect(await from(first as string)).toEqual({ event: "open" })
    for (const other of others) expect(await from(other)).toMatchObject({ event: "http-refused", status: 429 })
    for (const other of ["203.0.113.9", "2001:db8:1:3::1"]) expect(await from(other)).toEqual({ event: "open" })
  })

  it.each(["10.0.0.0/33", "10.0.0/8", "10.0.0.1:80", "[::1]", "::/129", "1::2::3", "private", "10.0.0.0/8/8", ""])(
    "rejects the proxies %j",
    (trustProxy) => {
      expect(() => createServer({ trustProxy: [trustProxy] })).toThrow(
        expect.objectContaining({ code: "config", message: expect.stringContaining("10.0.0.0/8") }),
      )
    },
  )

  it.each([-1, 0.5, NaN])("rejects %d as number of proxies", (trustProxy) => {
    expect(() => createServer({ trustProxy })).toThrow(/expected trustProxy/)
  })
})
