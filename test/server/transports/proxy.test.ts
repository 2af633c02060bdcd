import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Handshake, Origins, ServerOptions } from "../../../src/server/index.ts"
import { Inbox } from "../../support/inbox.ts"
import { serve } from "../../support/serve.ts"

/** What a client looks like to `connect` that came with these headers. */
async function seen(options: ServerOptions, headers: Record<string, string>, origins?: Origins) {
  const asked = new Inbox<Handshake>("handshakes")
  const { client } = await serve((server) => {
    const connect = (handshake: Handshake) => (asked.put(handshake), {})
    server.socket("/socket", { connect, ...(origins === undefined ? {} : { origins }) })
  }, options)
  const { beginning } = await client("", headers)
  const [handshake] = asked.items
  const { protocol, hostname } = handshake?.url ?? {}
  return { beginning, address: handshake?.address, protocol, hostname }
}

const refused = { event: "http-refused", status: 403, body: "" }
const FORWARDED = {
  "X-Forwarded-For": "203.0.113.9",
  "X-Forwarded-Proto": "https",
  "X-Forwarded-Host": "app.example",
}

describe("behind a proxy (trustProxy)", () => {
  it("a client's address, scheme and host are what the proxy says", async () => {
    expect(await seen({ trustProxy: true }, FORWARDED)).toMatchObject({
      address: "203.0.113.9",
      protocol: "https:",
      hostname: "app.example",
    })
  })

  it("nothing of it is believed by default: anyone can write these headers", async () => {
    const own = { address: "127.0.0.1", protocol: "http:", hostname: "127.0.0.1" }
    expect(await seen({}, FORWARDED)).toMatchObject(own)
    expect(await seen({ trustProxy: false }, FORWARDED)).toMatchObject(own)
  })

  it.each([
    [1, "203.0.113.9"],
    [2, "198.51.100.7"],
    [9, "6.6.6.6"],
  ])("with %i of them, what the client itself wrote further left is passed over", async (trustProxy, address) => {
    const headers = { "X-Forwarded-For": "6.6.6.6, 198.51.100.7,203.0.113.9" }
    expect(await seen({ trustProxy }, headers)).toMatchObject({ address })
  })

  it("what the proxy does not say is as it came", async () => {
    const headers = { "X-Forwarded-For": "", "X-Forwarded-Proto": "gopher" }
    expect(await seen({ trustProxy: true }, headers)).toMatchObject({ address: "127.0.0.1", protocol: "http:" })
  })

  it("a host that is none is refused", async () => {
    const { beginning } = await seen({ trustProxy: true }, { "X-Forwarded-Host": "[" })
    expect(beginning).toMatchObject({ event: "http-refused", status: 400 })
  })

  it.each<[string, Origins]>([
    ["of the same host", true],
    ["of the same scheme, host and port", "conn"],
  ])("a page is %s when it is so for the client (P3)", async (_what, origins) => {
    const headers = { ...FORWARDED, Origin: "https://app.example" }
    expect((await seen({ trustProxy: true }, headers, origins)).beginning).toEqual({ event: "open" })
    expect((await seen({}, headers, origins)).beginning).toEqual(refused)
  })

  it("connections are counted by the client's address, not by the proxy's", async () => {
    const { client } = await serve((server) => server.socket("/socket"), {
      trustProxy: true,
      maxConnectionsPerAddress: 1,
    })
    const from = async (address: string) => (await client("", { "X-Forwarded-For": address })).beginning
    expect(await from("203.0.113.1")).toEqual({ event: "open" })
    expect(await from("203.0.113.2")).toEqual({ event: "open" })
    expect(await from("203.0.113.1")).toMatchObject({ event: "http-refused", status: 429 })
  })

  it.each([-1, 0.5, NaN])("%d proxies are refused when they are given", (trustProxy) => {
    expect(() => createServer({ trustProxy })).toThrow(/expected trustProxy/)
  })
})
