import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import type { Handshake, SocketHandlers } from "../../../src/server/index.ts"
import { serve } from "../../support/serve.ts"

/** The HTTP answer to a handwritten request. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const GOOD = {
  Host: "x",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
}

/**
 * A server that refuses the token `bad`, the handshakes that reached its `connect`, and a function that sends a handshake.
 * A header that is `null` is left out.
 */
async function serveHandshakes() {
  const handshakes: Handshake[] = []
  const connectTo: NonNullable<SocketHandlers["connect"]> = (handshake) => {
    handshakes.push(handshake)
    return handshake.params["token"] === "bad" || handshake.authToken === "bad" ? false : {}
  }
  const { url } = await serve((server) => server.socket("/socket", { origins: false, connect: connectTo }))
  const shake = (
    path = "/socket/websocket?vsn=2.0.0",
    changes: Readonly<Record<string, string | null>> = {},
    method = "GET",
    protocol = "HTTP/1.1",
  ): Promise<Answer> =>
    new Promise((resolve) => {
      const headers = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== null)
      const lines = headers.map(([name, value]) => `${name}: ${value}`)
      const socket = connect(Number(new URL(url).port), "127.0.0.1")
      let text = ""
      socket.on("data", (data) => {
        text += String(data)
        const [head = "", body = ""] = text.split("\r\n\r\n", 2)
        const [first = "", ...fields] = head.split("\r\n")
        const answered = Object.fromEntries(
          fields.map((line) => [line.split(": ", 1)[0]?.toLowerCase(), line.slice(line.indexOf(": ") + 2)]),
        ) as Record<string, string>
        if (!text.includes("\r\n\r\n") || body.length < Number(answered["content-length"] ?? 0)) return
        socket.destroy()
        resolve({ status: Number(first.split(" ")[1]), headers: answered, body })
      })
      socket.write([`${method} ${path} ${protocol}`, ...lines, "", ""].join("\r\n"))
    })
  return { handshakes, shake, url: url.replace("ws", "http") }
}

const offering = (protocols: string): Record<string, string> => ({ "Sec-WebSocket-Protocol": protocols })
const token = (text: string): string =>
  `base64url.bearer.phx.${Buffer.from(text).toString("base64").replace(/=+$/, "")}`

describe("a WebSocket handshake", () => {
  it("is checked in this order: method, path, subprotocols, version, connect, upgrade headers (P2)", async () => {
    const { shake, handshakes } = await serveHandshakes()
    const flawed = { "Sec-WebSocket-Version": "8" }
    expect(await shake("/socket/websocket?vsn=2.0.0&token=bad", flawed, "POST")).toMatchObject({
      status: 400,
      body: "",
    })
    expect(await shake("/other?vsn=2.0.0&token=bad", flawed)).toMatchObject({
      status: 404,
      body: "not found",
    })
    expect(await shake("/socket/websocket?vsn=2.0.0", { ...flawed, ...offering("other") })).toMatchObject({
      status: 403,
    })
    expect(await shake("/socket/websocket?vsn=9.0.0", flawed)).toMatchObject({ status: 403, body: "" })
    expect(handshakes).toHaveLength(0)
    expect(await shake("/socket/websocket?vsn=2.0.0&token=bad", flawed)).toMatchObject({
      status: 403,
      body: "",
    })
    expect(handshakes).toHaveLength(1)
    expect(await shake("/socket/websocket?vsn=2.0.0", flawed)).toMatchObject({ status: 400 })
  })

  it("without upgrade headers is still passed to connect, whose refusal comes first (P2)", async () => {
    const { url } = await serveHandshakes()
    const answers = ["", "&token=bad"].map((query) => fetch(`${url}/socket/websocket?vsn=2.0.0${query}`))
    const [plain, bad] = (await Promise.all(answers)) as [Response, Response]
    expect([plain.status, await plain.text()]).toEqual([
      400,
      `'connection' header must contain 'upgrade', got ["keep-alive"]`,
    ])
    expect([bad.status, await bad.text()]).toEqual([403, ""])
    for (const { headers } of [plain, bad]) expect(headers.get("content-type")).toBeNull()
  })

  it.each([
    [{ Upgrade: "websockets" }, `'upgrade' header must contain 'websocket', got ["websockets"]`],
    [{ "Sec-WebSocket-Key": null }, "'sec-websocket-key' header is absent"],
    [{ "Sec-WebSocket-Version": null }, "'sec-websocket-version' header must equal '13', got []"],
    [{ "Sec-WebSocket-Version": "8" }, `'sec-websocket-version' header must equal '13', got ["8"]`],
  ])("with %o is refused with the reason (recorded case 12)", async (changes, body) => {
    const { shake } = await serveHandshakes()
    expect(await shake(undefined, changes)).toMatchObject({ status: 400, body })
  })

  it.each(["%zz", "%", "%ff", "%c3"])(
    "whose query contains %s, which does not decode to UTF-8, is refused",
    async (text) => {
      const { shake, handshakes } = await serveHandshakes()
      expect(await shake(`/socket/websocket?vsn=2.0.0&name=${text}`)).toMatchObject({ status: 400, body: "" })
      expect(
        await shake(`/socket/longpoll?vsn=2.0.0&name=${text}`, { Upgrade: null, Connection: "close" }),
      ).toMatchObject({ status: 400 })
      expect(handshakes).toHaveLength(0)
    },
  )

  it("on the path of long poll, which has no upgrade, is answered as a plain request", async () => {
    const { shake } = await serveHandshakes()
    const { status, headers, body } = await shake("/socket/longpoll?vsn=2.0.0")
    expect([status, headers["connection"]]).toEqual([200, "close"])
    expect(JSON.parse(body)).toMatchObject({ messages: [], status: 410 })
    expect(await shake("/socket/longpoll?vsn=2.0.0&token=bad")).toMatchObject({ status: 200 })
    expect(await shake("/socket/longpoll?vsn=2.0.0", {}, "POST")).toMatchObject({ status: 404 })
  })

  it("without a host is refused", async () => {
    const { shake } = await serveHandshakes()
    expect(await shake(undefined, { Host: null })).toMatchObject({ status: 400 })
    expect(await shake(undefined, { Host: "" })).toMatchObject({ status: 400 })
  })

  it("over HTTP 1.0 is refused with the reason", async () => {
    const { shake } = await serveHandshakes()
    const body = "HTTP version HTTP/1.0 unsupported"
    expect(await shake(undefined, {}, "GET", "HTTP/1.0")).toMatchObject({ status: 400, body })
  })

  it.each([
    { Connection: "keep-alive, upgrade" },
    { Upgrade: "h2c, WebSocket" },
    { "Sec-WebSocket-Extensions": "permessage-deflate" },
  ])("may have more in its headers than is needed: %o", async (changes) => {
    const { shake } = await serveHandshakes()
    const { status, headers } = await shake(undefined, changes)
    expect([status, headers["sec-websocket-extensions"]]).toEqual([101, undefined])
  })

  it("is answered with a cache-control header that prevents caching, whatever the status (recorded case 12)", async () => {
    const { shake, url } = await serveHandshakes()
    const plain = await fetch(`${url}/socket/websocket`)
    const answers = await Promise.all(
      [[], ["/socket/websocket?vsn=9.0.0"], [undefined, { "Sec-WebSocket-Version": "8" }]].map(([path, changes]) =>
        shake(path as string | undefined, changes as Record<string, string>),
      ),
    )
    for (const cached of [
      ...answers.map(({ headers }) => headers["cache-control"]),
      plain.headers.get("cache-control"),
    ]) {
      expect(cached).toBe("max-age=0, private, must-revalidate")
    }
  })

  it.each(["//socket/websocket", "/socket//websocket//", "/socket/websocket/"])(
    "is accepted at %s: empty path segments are ignored (recorded case 12)",
    async (path) => {
      const { shake, handshakes } = await serveHandshakes()
      expect(await shake(`${path}?vsn=2.0.0&token=a`)).toMatchObject({ status: 101 })
      // In a URL, `//socket` would be a host. The origin must be compared with the host of the header instead.
      expect(handshakes[0]?.url.host).toBe("x")
      expect(handshakes[0]?.params["token"]).toBe("a")
    },
  )
})

describe("the subprotocols that a client offers (P4)", () => {
  it.each<[offer: string, status: number, agreed: string | undefined, token: string | undefined]>([
    ["phoenix", 101, "phoenix", undefined],
    ["other, phoenix", 101, "phoenix", undefined],
    ["phoenix, phoenix", 101, "phoenix", undefined],
    [`phoenix, ${token("a token")}`, 101, "phoenix", "a token"],
    [`phoenix, ${token("?~>ü")}`, 101, "phoenix", "?~>ü"],
    [token("alone"), 101, undefined, "alone"],
    [`phoenix, ${token("one")}, ${token("two")}`, 101, "phoenix", undefined],
    [`${token("a")}, other`, 403, undefined, undefined],
    ["other", 403, undefined, undefined],
    ["Phoenix", 403, undefined, undefined],
    [`phoenix, ${token("bad")}`, 403, "phoenix", "bad"],
    ["phoenix, base64url.bearer.phx.a", 403, "phoenix", undefined],
    ["phoenix, base64url.bearer.phx.@@", 403, "phoenix", undefined],
  ])("%s: answered with %i", async (offer, status, agreed, authToken) => {
    const { shake, handshakes } = await serveHandshakes()
    const answer = await shake(undefined, offering(offer))
    expect([answer.status, answer.headers["sec-websocket-protocol"]]).toEqual([status, agreed])
    expect(handshakes[0]?.authToken).toBe(authToken)
  })
})

describe("the protocol version that a client requests (P1)", () => {
  it("is refused if it is nested, whatever is in it", async () => {
    const { shake } = await serveHandshakes()
    for (const query of ["vsn[]=2.0.0", "vsn[a]=2.0.0", "vsn[a][b]=1"]) {
      expect(await shake(`/socket/websocket?${query}`)).toMatchObject({ status: 403 })
    }
  })

  it.each(["1.0.0", "1.0.12", "2.0.0", "2.0.1", "2.0.1-rc.1", "2.0.0+build.7"])("%s is accepted", async (vsn) => {
    const { shake } = await serveHandshakes()
    expect(await shake(`/socket/websocket?vsn=${encodeURIComponent(vsn)}`)).toMatchObject({ status: 101 })
  })

  it.each(["2.0.0-rc.1", "2.0.00", "2.1.0", "2.0", "2.0.0 ", "v2.0.0", "3.0.0"])("%j is refused", async (vsn) => {
    const { shake } = await serveHandshakes()
    expect(await shake(`/socket/websocket?vsn=${encodeURIComponent(vsn)}`)).toMatchObject({
      status: 403,
      body: "",
    })
  })
})
