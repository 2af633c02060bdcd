import { createServer as createHttpServer } from "node:http"
import { connect } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { PassThrough } from "node:stream"
import { describe, expect, it, onTestFinished } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { ServerOptions } from "../../../src/server/index.ts"
import { refuseUpgrade } from "../../../src/server/transports/refuse-upgrade.ts"
import { clock } from "../../support/clock.ts"
import { until } from "../../support/until.ts"

// Found by test/fuzz: a client that keeps its side of a connection open, or goes without a word, must not hold the server's.

const UPGRADE = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
const KEYED = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n`

/** A server on an HTTP server that counts its connections, and a client that never closes its side. */
async function holding(options: ServerOptions = {}) {
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
  return { server, url: `http://127.0.0.1:${port}`, client, released: () => until(() => open === 0) }
}

const told = async (socket: Socket): Promise<string> => {
  let all = ""
  for await (const chunk of socket) all += String(chunk)
  return all
}

describe("a refused upgrade is let go of, though its client does not close", () => {
  it.each([
    ["to where nothing is mounted", `GET /other HTTP/1.1\r\n${KEYED}`, 404],
    ["without a key", `GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${UPGRADE}`, 400],
    ["that connect says no to", `GET /socket/websocket?vsn=2.0.0&refuse=yes HTTP/1.1\r\n${KEYED}`, 403],
  ])("one %s", async (_what, head, status) => {
    const { client, released } = await holding()
    expect(await told(await client(`${head}\r\n`))).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    await released()
  })

  it("and its reset is nobody's error", async () => {
    const raw = new PassThrough()
    refuseUpgrade(raw, 404)
    const closed = new Promise((resolve) => raw.once("close", resolve))
    raw.emit("error", new Error("read ECONNRESET"))
    await closed
  })
})

it("a connection that does not answer the server's goodbye is ended after handshakeTimeoutMs", async () => {
  const { client, released } = await holding({ handshakeTimeoutMs: 50 })
  const socket = await client(`GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\n${KEYED}\r\n`)
  await new Promise((resolve) => socket.once("data", resolve))
  const text = Buffer.from("no message")
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
  expect((await told(socket)).slice(2)).toBe("\u0003\ufffd") // 1011
  await released()
})

it("a long poll's body that never ends is not waited for longer than handshakeTimeoutMs", async () => {
  const timers = clock()
  const { url, client, released } = await holding({ timers, handshakeTimeoutMs: 1_000 })
  const opened = await fetch(`${url}/socket/longpoll?vsn=2.0.0`, { headers: { connection: "close" } })
  const { token } = (await opened.json()) as { token: string }
  const before = timers.pending
  const path = `/socket/longpoll?vsn=2.0.0&token=${token}`
  const socket = await client(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[`)
  await until(() => timers.pending > before)
  timers.advance(1_000)
  expect(await told(socket)).toBe("")
  socket.end()
  await released()
})

it("an answer that waits behind another one does not hold up closing when their connection breaks", async () => {
  let joins = 0
  const meter = { count: (name: string) => void (joins += name === "joins" ? 1 : 0) }
  const { server, url, client, released } = await holding({ meter })
  const opened = await fetch(`${url}/socket/longpoll?vsn=2.0.0`, { headers: { connection: "close" } })
  const { token } = (await opened.json()) as { token: string }
  const head = `/socket/longpoll?vsn=2.0.0&token=${token} HTTP/1.1\r\nHost: x\r\n`
  const join = '["1","1","rooms:1","phx_join",{}]'
  const post = `POST ${head}Content-Length: ${join.length}\r\n\r\n${join}`
  // Only the first poll has its answer; the second is waited for by both posts behind it.
  const socket = await client(`${post}GET ${head}\r\nGET ${head}\r\n${post}${post}`)
  await until(() => joins === 3)
  socket.resetAndDestroy()
  await released()
  await server.close()
})
