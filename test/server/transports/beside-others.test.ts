import { createServer as createHttpServer } from "node:http"
import type { Server as HttpServer } from "node:http"
import { connect } from "node:net"
import type { AddressInfo } from "node:net"
import express from "express"
import { Server as SocketIo } from "socket.io"
import { describe, expect, it, onTestFinished, test } from "vitest"
import { createViteServer } from "vitest/node"
import { WebSocketServer } from "ws"
import { createServer } from "../../../src/server/index.ts"
import type { Server } from "../../../src/server/index.ts"
import { Client, ok } from "../../support/serve.ts"
import { WireSocket } from "../../support/wire-socket.ts"

function newServer(path = "/socket"): Server {
  const server = createServer({ logger: { warn: () => undefined, error: () => undefined } })
  server.socket(path)
  server.channel("rooms:*", { join: () => ({ ok: {} }) })
  onTestFinished(() => server.close())
  return server
}

async function hostOf(http: HttpServer): Promise<string> {
  if (!http.listening) await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `127.0.0.1:${(http.address() as AddressInfo).port}`
}

/** The first thing that a WebSocket client gets: an opened connection, or the HTTP status of a refusal. */
async function upgrade(host: string, path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const socket = new WireSocket(`ws://${host}${path}`, headers)
  onTestFinished(() => void socket.raw.destroy())
  const seen = await socket.inbox.next()
  return (seen as { status?: number }).status ?? (seen as { event: string }).event
}

async function join(host: string): Promise<unknown> {
  const client = new Client(new WireSocket(`ws://${host}/socket/websocket?vsn=2.0.0`))
  onTestFinished(() => void client.socket.raw.destroy())
  expect(await client.next()).toEqual({ event: "open" })
  return client.join("rooms:1")
}

const get = async (host: string, path: string): Promise<[number, string]> => {
  const response = await fetch(`http://${host}${path}`)
  return [response.status, await response.text()]
}

/** Long poll at `/socket` works: a new session is opened. */
async function expectLongPoll(host: string): Promise<void> {
  const [status, body] = await get(host, "/socket/longpoll?vsn=2.0.0")
  expect([status, JSON.parse(body)]).toEqual([200, { messages: [], status: 410, token: expect.any(String) }])
}

/** Another user of the HTTP server, and how it shows that it serves its own paths. */
interface Other {
  add(http: HttpServer): void | Promise<void>
  expectServed(host: string): Promise<void>
}

const others: [name: string, make: () => Other][] = [
  [
    "a WebSocketServer of ws with a path",
    () => ({
      add(http) {
        const websockets = new WebSocketServer({ server: http, path: "/feed" })
        onTestFinished(() => websockets.close())
      },
      async expectServed(host) {
        expect(await upgrade(host, "/feed")).toBe("open")
        expect(await upgrade(host, "/elsewhere")).toBe(400)
      },
    }),
  ],
  [
    "socket.io",
    () => ({
      add(http) {
        const io = new SocketIo(http)
        onTestFinished(() => void io.close())
      },
      async expectServed(host) {
        expect(await upgrade(host, "/socket.io/?EIO=4&transport=websocket")).toBe("open")
        const [status, body] = await get(host, "/socket.io/?EIO=4&transport=polling")
        expect([status, body.slice(0, 1)]).toEqual([200, "0"])
      },
    }),
  ],
  [
    "an app of Express",
    () => ({
      add(http) {
        const app = express()
        app.get("/page", (_request, response) => void response.send("a page"))
        http.on("request", app)
      },
      async expectServed(host) {
        expect(await get(host, "/page")).toEqual([200, "a page"])
        expect((await get(host, "/nothing"))[0]).toBe(404)
      },
    }),
  ],
  [
    "the dev server of vite",
    () => {
      let token: string
      return {
        async add(http) {
          const vite = await createViteServer({
            configFile: false,
            root: import.meta.dirname,
            logLevel: "silent",
            appType: "custom",
            optimizeDeps: { noDiscovery: true },
            server: { middlewareMode: true, hmr: { server: http }, watch: null },
          })
          token = vite.config.webSocketToken
          http.on("request", vite.middlewares)
          onTestFinished(() => vite.close())
        },
        async expectServed(host) {
          const [status, body] = await get(host, "/@vite/client")
          expect([status, body.includes("vite-hmr")]).toEqual([200, true])
          expect(await upgrade(host, `/?token=${token}`, { "Sec-WebSocket-Protocol": "vite-hmr" })).toBe("open")
        },
      }
    },
  ],
]

describe.each(others)("beside %s", (_name, make) => {
  it.each(["before", "after"])(
    "that was added %s it, an attached server serves its own paths, and each leaves the other's alone",
    async (order) => {
      const http = createHttpServer()
      const other = make()
      if (order === "before") await other.add(http)
      const server = newServer()
      await server.attach(http)
      if (order === "after") await other.add(http)
      const host = await hostOf(http)
      for (let round = 0; round < 2; round += 1) {
        expect(await join(host)).toEqual(ok())
        await expectLongPoll(host)
        await other.expectServed(host)
      }
      await server.close()
      await other.expectServed(host)
    },
  )
})

describe("an HTTP server", () => {
  const ownEmit = (http: HttpServer): boolean => Object.hasOwn(http, "emit")
  const listeners = (http: HttpServer): unknown => http.eventNames().map((name) => [name, http.listeners(name)])

  it("is as it was once the last of its attached servers has closed, however often that happens", async () => {
    const http = createHttpServer(() => undefined)
    const before = listeners(http)
    for (let round = 0; round < 3; round += 1) {
      const [one, two] = [newServer("/one"), newServer("/two")]
      await one.attach(http)
      await two.attach(http)
      await one.close()
      expect(ownEmit(http)).toBe(true)
      await two.close()
      expect(listeners(http)).toEqual(before)
      expect(ownEmit(http)).toBe(false)
    }
  })

  it("keeps the emit that its program has set before or after, when an attached server closes", async () => {
    const http = createHttpServer((_request, response) => response.end("page"))
    const seen: string[] = []
    const trace = (name: string): void => {
      const emit = http.emit.bind(http) as (event: string, ...args: unknown[]) => boolean
      http.emit = (event: string, ...args: unknown[]): boolean => {
        if (event === "request") seen.push(name)
        return emit(event, ...args)
      }
    }
    trace("first")
    const server = newServer()
    await server.attach(http)
    trace("second")
    const host = await hostOf(http)
    expect(await get(host, "/")).toEqual([200, "page"])
    await server.close()
    expect(await get(host, "/socket/longpoll")).toEqual([200, "page"])
    expect(seen).toEqual(["second", "first", "second", "first"])
    await newServer().attach(http)
    await expectLongPoll(host)
  })

  it("without request listeners answers with 404 what no attached server serves", async () => {
    const http = createHttpServer()
    await newServer().attach(http)
    const host = await hostOf(http)
    expect(await get(host, "/elsewhere")).toEqual([404, "not found"])
  })
})

test("a post that waits for 100 Continue is served, also if the program listens to such requests", async () => {
  const http = createHttpServer()
  http.on("checkContinue", (_request, response) => response.writeHead(417).end())
  await newServer().attach(http)
  const host = await hostOf(http)
  const [, body] = await get(host, "/socket/longpoll?vsn=2.0.0")
  const { token } = JSON.parse(body) as { token: string }
  const post = async (path: string): Promise<string> => {
    const client = connect(Number(host.split(":")[1]), "127.0.0.1")
    onTestFinished(() => void client.destroy())
    const message = '["1","1","rooms:1","phx_join",{}]'
    client.write(
      `POST ${path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: ${message.length}\r\n\r\n`,
    )
    let received = ""
    for await (const chunk of client) {
      received += String(chunk)
      if (received === "HTTP/1.1 100 Continue\r\n\r\n") client.write(message)
    }
    return received
  }
  const served = await post(`/socket/longpoll?vsn=2.0.0&token=${token}`)
  expect(served.split("\r\n")[0]).toBe("HTTP/1.1 100 Continue")
  expect(served).toContain('{"status":200}')
  expect((await post("/elsewhere")).split("\r\n")[0]).toBe("HTTP/1.1 417 Expectation Failed")
})
