import { request as httpRequest } from "node:http"
import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Hosts, ServerOptions } from "../../../src/server/index.ts"
import { hostAllowed } from "../../../src/server/admission/hosts.ts"
import { serve } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

const refused = { event: "http-refused", status: 403, body: "" }

describe("the option hosts", () => {
  it.each<[Hosts | undefined, string, boolean]>([
    [undefined, "anything.example", true],
    [[], "a.com", false],
    [["a.com"], "a.com", true],
    [["a.com"], "a.com:4000", true],
    [["A.com"], "a.COM", true],
    [["//a.com"], "a.com", true],
    [["a.com"], "b.com", false],
    [["a.com"], "a.com.evil.example", false],
    [["a.com"], "x.a.com", false],
    [["a.com:4000"], "a.com:4000", true],
    [["a.com:4000"], "a.com:4001", false],
    [["a.com:4000"], "a.com", false],
    [["a.com:80"], "a.com", true],
    [["a.com:443"], "a.com", true],
    [["*.a.com"], "a.com", true],
    [["*.a.com"], "x.y.a.com:4000", true],
    [["*.a.com:4000"], "x.a.com:4001", false],
    [["*.a.com"], "xa.com", false],
    [["b.com", "a.com"], "a.com", true],
    [["[0:0::1]:4000"], "[::1]:4000", true],
    [["127.0.0.1"], "127.0.0.1:4000", true],
    [["bücher.example"], "xn--bcher-kva.example", true],
    [["xn--bcher-kva.example"], "bücher.example", true],
  ])("%j lets a request name %s: %s", (hosts, host, isAllowed) => {
    expect(hostAllowed(hosts, new URL(`http://${host}/socket`))).toBe(isAllowed)
  })

  it.each<[string, unknown]>([
    ["a scheme", ["https://a.com"]],
    ["a path", ["a.com/socket"]],
    ["a star alone", ["*"]],
    ["an address without brackets", ["::1"]],
    ["a port beyond 65535", ["a.com:70000"]],
    ["an empty text", [""]],
    ["a number", [5]],
    ["a text instead of a list", "a.com"],
    ["null", null],
  ])("throws a ConfigError for %s", (_what, hosts) => {
    expect(() => createServer().socket("/socket", { hosts: hosts as Hosts })).toThrowError(
      expect.objectContaining({ code: "config", message: expect.stringContaining("expected") }),
    )
  })
})

/** A page of `evil.example`, whose name points to this server: its browser sends no other host and no other origin. */
const EVIL = { Host: "evil.example", Origin: "http://evil.example" }

async function serveHosts(hosts: Hosts, options: ServerOptions = {}) {
  const served = await serve((server) => server.socket("/socket", { hosts }), options)
  const { port } = new URL(served.url)
  /** Sends a long-poll request. `fetch` would not let it name a host. */
  const longPoll = (method: string, query: string, headers: Record<string, string>) =>
    new Promise<{ http: number | undefined; body: unknown }>((resolve, reject) => {
      const path = `/socket/longpoll?vsn=2.0.0${query}`
      const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ http: response.statusCode, body: text === "" ? "" : JSON.parse(text) })
        })
      })
      request.on("error", reject)
      request.end(method === "POST" ? '[null,"7","phoenix","heartbeat",{}]' : undefined)
    })
  return { ...served, longPoll }
}

/** A client whose headers replace those that `WireSocket` sends. */
const own = { Host: "app.example" }

describe("a request for a host that is not listed", () => {
  it("is refused with 403, though its page is of that host; the log and a counter say so", async () => {
    const { longPoll, counted, logged } = await serveHosts(["app.example"])
    expect(await longPoll("GET", "", EVIL)).toEqual({ http: 200, body: { status: 403 } })
    expect(counted.get("refused_connects")).toBe(1)
    expect(logged).toMatchObject([
      {
        details: {
          error: { message: linked('expected a request for an allowed host, got "evil.example"', "refused") },
        },
      },
    ])
  })

  it("is refused with 403 as a WebSocket", async () => {
    const { client } = await serveHosts(["app.example"])
    expect((await client()).beginning).toEqual(refused)
  })

  it("is refused in each request of a session, and before its page may send headers", async () => {
    const { longPoll } = await serveHosts(["app.example"])
    const { body } = await longPoll("GET", "", own)
    const { token } = body as { token: string }
    expect(await longPoll("POST", `&token=${token}`, EVIL)).toEqual({ http: 200, body: { status: 403 } })
    expect(await longPoll("GET", `&token=${token}`, EVIL)).toEqual({ http: 200, body: { status: 403 } })
    expect(await longPoll("OPTIONS", "", EVIL)).toEqual({ http: 403, body: "" })
    expect(await longPoll("POST", `&token=${token}`, own)).toEqual({ http: 200, body: { status: 200 } })
    expect(await longPoll("GET", `&token=${token}`, own)).toMatchObject({ body: { status: 200, token } })
    expect(await longPoll("OPTIONS", "", own)).toEqual({ http: 200, body: "" })
  })

  it("is found by the host that a trusted proxy reports", async () => {
    const { client } = await serveHosts(["app.example"], { trustProxy: true })
    expect((await client("", { "X-Forwarded-Host": "app.example" })).beginning).toEqual({ event: "open" })
    expect((await client("", { "X-Forwarded-Host": "evil.example" })).beginning).toEqual(refused)
  })

  it.each(["app.example@evil.example", "app.example/socket/longpoll?", "app.example\\evil", "app.example#"])(
    "cannot be hidden in a host that is none: %s",
    async (host) => {
      const { longPoll } = await serveHosts(["app.example", "evil.example"])
      expect(await longPoll("GET", "", { Host: host })).toMatchObject({ http: 400 })
    },
  )
})

describe("the origin of a request", () => {
  it("is checked in each request of a long-poll session, as in Phoenix", async () => {
    const { longPoll } = await serveHosts(["app.example"])
    const { body } = await longPoll("GET", "", own)
    const { token } = body as { token: string }
    const foreign = { ...own, Origin: "https://evil.example" }
    expect(await longPoll("POST", `&token=${token}`, foreign)).toEqual({ http: 200, body: { status: 403 } })
    expect(await longPoll("GET", `&token=${token}`, foreign)).toEqual({ http: 200, body: { status: 403 } })
    expect(await longPoll("POST", `&token=${token}`, own)).toEqual({ http: 200, body: { status: 200 } })
  })
})
