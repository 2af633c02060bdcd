import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Handshake, Origins, ServerOptions } from "../../../src/server/index.ts"
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
    [9, "6.6.6.6"],
  ])("with %i proxies, ignores the values further left, which the client wrote itself", async (trustProxy, address) => {
    const headers = { "X-Forwarded-For": "6.6.6.6, 198.51.100.7,203.0.113.9" }
    expect(await connectWith({ trustProxy }, headers)).toMatchObject({ address })
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

  it.each([-1, 0.5, NaN])("rejects %d as number of proxies", (trustProxy) => {
    expect(() => createServer({ trustProxy })).toThrow(/expected trustProxy/)
  })
})
