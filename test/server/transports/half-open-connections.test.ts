import { createServer as createHttpServer } from "node:http"
import { connect } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { PassThrough } from "node:stream"
import { describe, expect, it, onTestFinished } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { ServerOptions } from "../../../src/server/index.ts"
import { refuseUpgrade } from "../../../src/server/transports/refuse-upgrade.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { until } from "../../support/until.ts"
import { watchRequests } from "../../support/watch-requests.ts"

// Found by test/fuzz: the server must release a connection even if the client never closes its side, or breaks it.

const UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
const KEYED = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n`

/** A server whose open connections and requests can be observed, and a client that never closes its side. */
async function serveHalfOpen(options: ServerOptions = {}) {
  const http = createHttpServer()
  const server = createServer({ logger: { warn: () => undefined, error: () => undefined }, ...options })
  server.socket("/socket", { connect: ({ params }) => (params["refuse"] === "yes" ? false : {}) })
  server.channel("rooms:*", { join: () => ({ ok: {} }) })
  await server.attach(http)
  let open = 0
  http.on("connection", (socket: Socket) => {
    open += 1
    socket.once("close", () => (open -= 1))
  })
  const requests = new Inbox<string>("requests")
  watchRequests(http, ({ method }) => requests.put(method ?? ""))
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  onTestFinished(async () => {
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  const { port } = http.address() as AddressInfo
  const client = async (text: string): Promise<Socket> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
    socket.on("error", () => undefined)
    onTestFinished(() => void socket.destroy())
    socket.write(text)
    return socket
  }
  return { server, url: `http://127.0.0.1:${port}`, client, requests, released: () => until(() => open === 0) }
}

/** Reads until the server closes its side. */
const readAll = async (socket: Socket): Promise<string> => {
  let text = ""
  for await (const chunk of socket) text += String(chunk)
  return text
}

describe("the connection of a refused upgrade", () => {
  it.each([
    ["to a path that is not mounted", `GET /other HTTP/1.1\r\n${KEYED}`, 404],
    ["without a key", `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${UPGRADE}`, 400],
    ["that connect refuses", `GET /socket/websocket?vsn=2.0.0&refuse=yes HTTP/1.1\r\n${KEYED}`, 403],
  ])("is released although its client keeps it open: an upgrade %s", async (_what, head, status) => {
    const { client, released } = await serveHalfOpen()
    expect(await readAll(await client(`${head}\r\n`))).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    await released()
  })

  it("may be reset by its client without an uncaught error", async () => {
    const raw = new PassThrough()
    refuseUpgrade(raw, 404)
    const closed = new Promise((resolve) => raw.once("close", resolve))
    raw.emit("error", new Error("read ECONNRESET"))
    await closed
  })
})

it("a connection whose client does not answer the close frame is ended after handshakeTimeoutMs", async () => {
  // The clock of the server stands still: a busy machine might not end the handshake in time. `ws` ends the connection by its own.
  const { client, released } = await serveHalfOpen({ timers: clock(), handshakeTimeoutMs: 200 })
  const socket = await client(`GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${KEYED}\r\n`)
  await new Promise((resolve) => socket.once("data", resolve))
  const text = Buffer.from("no message")
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
  const closing = await new Promise<unknown>((resolve) => socket.once("data", resolve))
  expect(String(closing).slice(2)).toBe("\u0003\ufffd") // 1011
  expect(await readAll(socket)).toBe("")
  await released()
})

it("a long-poll request whose body never ends is destroyed after handshakeTimeoutMs", async () => {
  const timers = clock()
  const { url, client, requests, released } = await serveHalfOpen({ timers, handshakeTimeoutMs: 1_000 })
  const opened = await fetch(`${url}/socket/longpoll?vsn=2.0.0`, { headers: { connection: "close" } })
  const { token } = (await opened.json()) as { token: string }
  const path = `/socket/longpoll?vsn=2.0.0&token=${token}`
  const socket = await client(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[`)
  await requests.count(2)
  timers.advance(1_000)
  expect(await readAll(socket)).toBe("")
  socket.end()
  await released()
})

it("a pipelined answer whose connection has broken does not delay closing the server", async () => {
  let joins = 0
  const meter = { count: (name: string) => void (joins += name === "joins" ? 1 : 0) }
  // With a virtual clock, no grace period ends by itself: closing hangs if the server waits for the broken connection.
  const { server, url, client, released } = await serveHalfOpen({ meter, timers: clock() })
  const opened = await fetch(`${url}/socket/longpoll?vsn=2.0.0`, { headers: { connection: "close" } })
  const { token } = (await opened.json()) as { token: string }
  const head = `/socket/longpoll?vsn=2.0.0&token=${token} HTTP/1.1\r\nHost: x\r\n`
  const join = '["1","1","rooms:1","phx_join",{}]'
  const post = `POST ${head}Content-Length: ${join.length}\r\n\r\n${join}`
  // The first poll is answered at once. The second one waits for messages, and holds back the answers to both posts after it.
  const socket = await client(`${post}GET ${head}\r\nGET ${head}\r\n${post}${post}`)
  await until(() => joins === 3)
  socket.resetAndDestroy()
  await released()
  await server.close()
})
