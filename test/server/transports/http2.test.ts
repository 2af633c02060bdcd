import { once } from "node:events"
import { readFile } from "node:fs/promises"
import type { IncomingMessage } from "node:http"
import { connect, createSecureServer } from "node:http2"
import type { ClientHttp2Session, Http2SecureServer, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2"
import { get } from "node:https"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { createServer } from "../../../src/server/index.ts"
import type { Handshake, Server, ServerOptions, SocketHandlers } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"

const fixture = (name: string): Promise<string> =>
  readFile(`${import.meta.dirname}/../../fixtures/tls/${name}.pem`, "utf8")

/** A Rollcall server that is attached to a server of HTTP/2 and HTTP/1.1, and a client of HTTP/2. */
async function serveOverHttp2(
  handlers: SocketHandlers<object> = {},
  options: ServerOptions = {},
  beforeAttach: (http: Http2SecureServer) => void = () => undefined,
) {
  const [key, cert] = await Promise.all([fixture("key"), fixture("cert")])
  const http = createSecureServer({ key, cert, allowHTTP1: true })
  const logger = { warn: () => undefined, error: () => undefined }
  const server: Server = createServer({ logger, ...options })
  server.socket("/socket", handlers)
  server.channel("rooms:*", { join: () => ({ ok: {} }) })
  beforeAttach(http)
  await server.attach(http)
  http.listen(0, "127.0.0.1")
  await once(http, "listening")
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`
  const session = connect(`https://${host}`, { ca: cert })
  onTestFinished(async () => {
    session.destroy()
    await server.close()
    http.close()
  })
  return { server, http, session, host, cert }
}

interface Answer {
  readonly headers: IncomingHttpHeaders & { ":status"?: number }
  readonly body: string
}

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const [answered] = (await once(stream, "response")) as [Answer["headers"]]
  return { headers: answered, body: await text(stream) }
}

const POLL = "/socket/longpoll?vsn=2.0.0"

describe("over HTTP/2", () => {
  it("a long poll opens a session, posts to it and gets its messages", async () => {
    const { session } = await serveOverHttp2()
    const opened = await ask(session, { ":path": POLL })
    const { token } = JSON.parse(opened.body) as { token: string }
    const path = `${POLL}&token=${token}`
    const posted = await ask(session, { ":path": path, ":method": "POST" }, '["1","1","rooms:1","phx_join",{}]')
    expect(JSON.parse(posted.body)).toEqual({ status: 200 })
    const polled = await ask(session, { ":path": path })
    expect(JSON.parse(polled.body)).toEqual({
      messages: ['["1","1","rooms:1","phx_reply",{"response":{},"status":"ok"}]'],
      status: 200,
      token,
    })
    for (const { headers } of [opened, posted, polled]) {
      expect(headers).toMatchObject({ ":status": 200, "access-control-allow-origin": "*" })
      expect(headers).not.toHaveProperty("connection")
    }
  })

  it("connect gets the URL, host, address and headers that it gets over HTTP/1.1", async () => {
    const seen: object[] = []
    const connect = ({ url, address, authToken, headers }: Handshake): object => {
      seen.push({ url: url.href, address, authToken, host: headers["host"] })
      return {}
    }
    const { session, host, cert } = await serveOverHttp2({ connect })
    await ask(session, { ":path": POLL, "x-phoenix-authtoken": "secret" })
    const headers = { "x-phoenix-authtoken": "secret" }
    const [response] = (await once(get(`https://${host}${POLL}`, { ca: cert, headers }), "response")) as [
      IncomingMessage,
    ]
    response.resume()
    const expected = { url: `https://${host}${POLL}`, address: "127.0.0.1", authToken: "secret", host }
    expect(seen).toEqual([expected, expected])
  })

  it.each([
    ["its own host", (host: string) => `https://${host}`, 410],
    ["another host", () => "https://evil.example", 403],
  ])("a page of %s is judged by its origin", async (_which, origin, status) => {
    const { session, host } = await serveOverHttp2({ origins: "conn" })
    const { body } = await ask(session, { ":path": POLL, origin: origin(host) })
    expect(JSON.parse(body)).toMatchObject({ status })
  })

  it("a preflight is answered, and a request for a WebSocket gets a 400, both without a connection header", async () => {
    const { session } = await serveOverHttp2()
    const preflight = await ask(session, {
      ":path": POLL,
      ":method": "OPTIONS",
      "access-control-request-headers": "x-phoenix-authtoken",
    })
    expect(preflight.headers).toMatchObject({ ":status": 200, "access-control-allow-headers": "x-phoenix-authtoken" })
    const websocket = await ask(session, { ":path": "/socket/websocket?vsn=2.0.0" })
    expect([websocket.headers[":status"], websocket.body]).toEqual([400, "HTTP version HTTP/2.0 unsupported"])
    for (const { headers } of [preflight, websocket]) expect(headers).not.toHaveProperty("connection")
  })

  it("a post whose body does not end in time is ended, and other requests of its connection go on", async () => {
    const timers = clock()
    const { session } = await serveOverHttp2({}, { timers, handshakeTimeoutMs: 1_000 })
    const { body } = await ask(session, { ":path": POLL })
    const { token } = JSON.parse(body) as { token: string }
    const slow = session.request({ ":path": `${POLL}&token=${token}`, ":method": "POST" }, { endStream: false })
    slow.on("error", () => undefined)
    slow.write("[")
    // The answer shows that the server has read what was sent before.
    await new Promise((resolve) => session.ping(resolve))
    timers.advance(1_000)
    await once(slow, "close")
    expect((await ask(session, { ":path": POLL })).headers[":status"]).toBe(200)
  })

  it.each(["before", "after"])(
    "stream listeners of the program, added %s attach, get what is not ours",
    async (when) => {
      const seen: unknown[] = []
      const listen = (http: Http2SecureServer): void => {
        http.on("stream", (stream, headers) => {
          seen.push(headers[":path"])
          stream.respond({ ":status": 200 })
          stream.end("theirs")
        })
      }
      const { http, session, server } = await serveOverHttp2({}, {}, when === "before" ? listen : undefined)
      if (when === "after") listen(http)
      expect((await ask(session, { ":path": "/elsewhere" })).body).toBe("theirs")
      expect(JSON.parse((await ask(session, { ":path": POLL })).body)).toMatchObject({ status: 410 })
      expect(seen).toEqual(["/elsewhere"])
      await server.close()
      expect((await ask(session, { ":path": POLL })).body).toBe("theirs")
    },
  )

  it("a client that leaves while its poll waits does not hold up the close of the server", async () => {
    const { server, session } = await serveOverHttp2()
    const { body } = await ask(session, { ":path": POLL })
    const { token } = JSON.parse(body) as { token: string }
    const waiting = session.request({ ":path": `${POLL}&token=${token}` })
    waiting.on("error", () => undefined)
    await new Promise((resolve) => session.ping(resolve))
    const gone = once(session, "close")
    session.destroy()
    await gone
    await server.close()
    expect(server.stats().connections).toBe(0)
  })

  it("what no attached server serves gets a 404 if the program has no request listener", async () => {
    const { session } = await serveOverHttp2()
    expect((await ask(session, { ":path": "/elsewhere" })).headers[":status"]).toBe(404)
  })
})

it("a WebSocket over HTTP/1.1 is served on the port of an HTTP/2 server with allowHTTP1", async () => {
  const { host, cert } = await serveOverHttp2()
  const websocket = new WebSocket(`wss://${host}/socket/websocket?vsn=2.0.0`, { ca: cert })
  await once(websocket, "open")
  websocket.send('["1","1","rooms:1","phx_join",{}]')
  const [answer] = (await once(websocket, "message")) as [Buffer]
  expect(JSON.parse(String(answer))).toEqual(["1", "1", "rooms:1", "phx_reply", { response: {}, status: "ok" }])
  websocket.terminate()
})
