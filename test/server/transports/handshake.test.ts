import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import type { Handshake, SocketHandlers } from "../../../src/server/index.ts"
import { serve } from "../../support/serve.ts"

/** What an HTTP server answers to a request written by hand. */
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

/** A server that lets in all but `bad`, and a way to requestAdmission at it: `null` leaves a header out. */
async function knocking() {
  const asked: Handshake[] = []
  const connectTo: NonNullable<SocketHandlers["connect"]> = (handshake) => {
    asked.push(handshake)
    return handshake.params["token"] === "bad" || handshake.authToken === "bad" ? false : {}
  }
  const { url } = await serve((server) => server.socket("/socket", { origins: false, connect: connectTo }))
  const requestAdmission = (
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
  return { asked, requestAdmission, url: url.replace("ws", "http") }
}

const offering = (protocols: string): Record<string, string> => ({ "Sec-WebSocket-Protocol": protocols })
const token = (text: string): string =>
  `base64url.bearer.phx.${Buffer.from(text).toString("base64").replace(/=+$/, "")}`

describe("a handshake", () => {
  it("is judged in order: method, path, subprotocols, version, connect, and last what makes it an upgrade (P2)", async () => {
    const { requestAdmission, asked } = await knocking()
    const flawed = { "Sec-WebSocket-Version": "8" }
    expect(await requestAdmission("/socket/websocket?vsn=2.0.0&token=bad", flawed, "POST")).toMatchObject({
      status: 400,
      body: "",
    })
    expect(await requestAdmission("/other?vsn=2.0.0&token=bad", flawed)).toMatchObject({
      status: 404,
      body: "not found",
    })
    expect(await requestAdmission("/socket/websocket?vsn=2.0.0", { ...flawed, ...offering("other") })).toMatchObject({
      status: 403,
    })
    expect(await requestAdmission("/socket/websocket?vsn=9.0.0", flawed)).toMatchObject({ status: 403, body: "" })
    expect(asked).toHaveLength(0)
    expect(await requestAdmission("/socket/websocket?vsn=2.0.0&token=bad", flawed)).toMatchObject({
      status: 403,
      body: "",
    })
    expect(asked).toHaveLength(1)
    expect(await requestAdmission("/socket/websocket?vsn=2.0.0", flawed)).toMatchObject({ status: 400 })
  })

  it("that is none is judged all the same: a plain GET learns of a refusal first (P2)", async () => {
    const { url } = await knocking()
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
  ])("with %o is told what is wrong (recorded case 12)", async (changes, body) => {
    const { requestAdmission } = await knocking()
    expect(await requestAdmission(undefined, changes)).toMatchObject({ status: 400, body })
  })

  it.each(["%zz", "%", "%ff", "%c3"])("whose query has %s, which is no UTF-8, is refused", async (text) => {
    const { requestAdmission, asked } = await knocking()
    expect(await requestAdmission(`/socket/websocket?vsn=2.0.0&name=${text}`)).toMatchObject({ status: 400, body: "" })
    expect(
      await requestAdmission(`/socket/longpoll?vsn=2.0.0&name=${text}`, { Upgrade: null, Connection: "close" }),
    ).toMatchObject({ status: 400 })
    expect(asked).toHaveLength(0)
  })

  it("that is offered to the long poll, which knows none, is passed over: the poll is answered", async () => {
    const { requestAdmission } = await knocking()
    const { status, headers, body } = await requestAdmission("/socket/longpoll?vsn=2.0.0")
    expect([status, headers["connection"]]).toEqual([200, "close"])
    expect(JSON.parse(body)).toMatchObject({ messages: [], status: 410 })
    expect(await requestAdmission("/socket/longpoll?vsn=2.0.0&token=bad")).toMatchObject({ status: 200 })
    expect(await requestAdmission("/socket/longpoll?vsn=2.0.0", {}, "POST")).toMatchObject({ status: 404 })
  })

  it("that names no host is refused", async () => {
    const { requestAdmission } = await knocking()
    expect(await requestAdmission(undefined, { Host: null })).toMatchObject({ status: 400 })
  })

  it("by an older HTTP is told so", async () => {
    const { requestAdmission } = await knocking()
    const body = "HTTP version HTTP/1.0 unsupported"
    expect(await requestAdmission(undefined, {}, "GET", "HTTP/1.0")).toMatchObject({ status: 400, body })
  })

  it.each([
    { Connection: "keep-alive, upgrade" },
    { Upgrade: "h2c, WebSocket" },
    { "Sec-WebSocket-Extensions": "permessage-deflate" },
  ])("may say more than is needed: %o", async (changes) => {
    const { requestAdmission } = await knocking()
    const { status, headers } = await requestAdmission(undefined, changes)
    expect([status, headers["sec-websocket-extensions"]]).toEqual([101, undefined])
  })

  it("is answered as not to be kept, whatever the answer (recorded case 12)", async () => {
    const { requestAdmission, url } = await knocking()
    const plain = await fetch(`${url}/socket/websocket`)
    const answers = await Promise.all(
      [[], ["/socket/websocket?vsn=9.0.0"], [undefined, { "Sec-WebSocket-Version": "8" }]].map(([path, changes]) =>
        requestAdmission(path as string | undefined, changes as Record<string, string>),
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
    "finds its way by %s: slashes only part (recorded case 12)",
    async (path) => {
      const { requestAdmission, asked } = await knocking()
      expect(await requestAdmission(`${path}?vsn=2.0.0&token=a`)).toMatchObject({ status: 101 })
      // The path names no host, though it may look like one to a URL: what the origin is compared with is the header's.
      expect(asked[0]?.url.host).toBe("x")
      expect(asked[0]?.params["token"]).toBe("a")
    },
  )
})

describe("the subprotocols offered (P4)", () => {
  it.each<[offer: string, status: number, agreed: string | undefined, token: string | undefined]>([
    ["phoenix", 101, "phoenix", undefined],
    ["other, phoenix", 101, "phoenix", undefined],
    ["phoenix, phoenix", 101, "phoenix", undefined],
    [`phoenix, ${token("a token")}`, 101, "phoenix", "a token"],
    [`phoenix, ${token("?~>ü")}`, 101, "phoenix", "?~>ü"],
    [`${token("alone")}`, 101, undefined, "alone"],
    [`phoenix, ${token("one")}, ${token("two")}`, 101, "phoenix", undefined],
    [`${token("a")}, other`, 403, undefined, undefined],
    ["other", 403, undefined, undefined],
    ["Phoenix", 403, undefined, undefined],
    [`phoenix, ${token("bad")}`, 403, "phoenix", "bad"],
    ["phoenix, base64url.bearer.phx.a", 403, "phoenix", undefined],
    ["phoenix, base64url.bearer.phx.@@", 403, "phoenix", undefined],
  ])("%s: %i", async (offer, status, agreed, authToken) => {
    const { requestAdmission, asked } = await knocking()
    const answer = await requestAdmission(undefined, offering(offer))
    expect([answer.status, answer.headers["sec-websocket-protocol"]]).toEqual([status, agreed])
    expect(asked[0]?.authToken).toBe(authToken)
  })
})

describe("the version asked for (P1)", () => {
  it.each(["1.0.0", "1.0.12", "2.0.0", "2.0.1", "2.0.1-rc.1", "2.0.0+build.7"])("%s is served", async (vsn) => {
    const { requestAdmission } = await knocking()
    expect(await requestAdmission(`/socket/websocket?vsn=${encodeURIComponent(vsn)}`)).toMatchObject({ status: 101 })
  })

  it.each(["2.0.0-rc.1", "2.0.00", "2.1.0", "2.0", "2.0.0 ", "v2.0.0", "3.0.0"])("%j is not", async (vsn) => {
    const { requestAdmission } = await knocking()
    expect(await requestAdmission(`/socket/websocket?vsn=${encodeURIComponent(vsn)}`)).toMatchObject({
      status: 403,
      body: "",
    })
  })
})
