import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { createServer as createHttpServer } from "node:http"
import type { IncomingMessage, Server as HttpServer } from "node:http"
import { createServer as createHttpsServer, get } from "node:https"
import { connect } from "node:net"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { describe, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { Client, ok } from "../../support/serve.ts"
import { WireSocket } from "../../support/wire-socket.ts"
import { linked } from "../../support/linked.ts"

function serverAt(path: string, options: ServerOptions = {}): Server {
  const server = createServer({ logger: { warn: () => undefined, error: () => undefined }, ...options })
  server.socket(path)
  server.channel("rooms:*", { join: () => ({ ok: { path } }) })
  onTestFinished(() => server.close())
  return server
}

async function listening(http: HttpServer): Promise<string> {
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `127.0.0.1:${(http.address() as AddressInfo).port}`
}

async function join(host: string, path: string): Promise<unknown> {
  const client = new Client(new WireSocket(`ws://${host}${path}/websocket?vsn=2.0.0`))
  onTestFinished(() => void client.socket.raw.destroy())
  const beginning = await client.next()
  return (beginning as { event: string }).event === "open" ? client.join("rooms:1") : beginning
}

const page = async (host: string, path: string): Promise<[number, string]> => {
  const response = await fetch(`http://${host}${path}`)
  return [response.status, await response.text()]
}

describe("a server that is attached to an existing HTTP server", () => {
  it("serves its own paths, and leaves all others to the HTTP server", async () => {
    const http = createHttpServer((request, response) => response.end(`page ${request.url}`))
    await serverAt("/socket").attach(http)
    const host = await listening(http)
    expect(await join(host, "/socket")).toEqual(ok({ path: "/socket" }))
    expect(await page(host, "/")).toEqual([200, "page /"])
    expect(await page(host, "/socket")).toEqual([200, "page /socket"])
    expect((await page(host, "/socket/websocket"))[0]).toBe(400)
  })

  it("leaves upgrades of other paths to their listener, and answers them with 404 if there is none", async () => {
    const http = createHttpServer()
    await serverAt("/socket").attach(http)
    const host = await listening(http)
    expect(await join(host, "/other")).toEqual({ event: "http-refused", status: 404, body: "not found" })
    http.on("upgrade", (request, socket) => {
      if (request.url?.startsWith("/other") === true) socket.end("HTTP/1.1 418 I'm a teapot\r\n\r\n")
    })
    expect(await join(host, "/other")).toEqual({ event: "http-refused", status: 418, body: "" })
    expect(await join(host, "/socket")).toEqual(ok({ path: "/socket" }))
  })

  it("may share it with another server, which goes on when the first one closes", async () => {
    const http = createHttpServer((_request, response) => response.end("page"))
    const [one, two] = [serverAt("/one"), serverAt("/two")]
    await one.attach(http)
    await two.attach(http)
    const host = await listening(http)
    expect(await join(host, "/one")).toEqual(ok({ path: "/one" }))
    expect(await join(host, "/two")).toEqual(ok({ path: "/two" }))
    expect(await join(host, "/three")).toEqual({ event: "http-refused", status: 404, body: "not found" })
    await one.close()
    expect(await join(host, "/one")).toEqual({ event: "http-refused", status: 404, body: "not found" })
    expect(await join(host, "/two")).toEqual(ok({ path: "/two" }))
    expect(await page(host, "/")).toEqual([200, "page"])
    await two.close()
    expect(await page(host, "/two/websocket")).toEqual([200, "page"])
  })
})

describe("a server that is attached to an existing HTTPS server", () => {
  it("serves WebSockets and long polls over TLS, and passes https URLs to connect", async () => {
    const fixture = (name: string): Promise<string> =>
      readFile(`${import.meta.dirname}/../../fixtures/tls/${name}.pem`, "utf8")
    const [key, cert] = await Promise.all([fixture("key"), fixture("cert")])
    const protocols: string[] = []
    const server = createServer()
    server.socket("/socket", { connect: ({ url }) => (protocols.push(url.protocol), {}) })
    server.channel("rooms:*", { join: () => ({ ok: {} }) })
    onTestFinished(() => server.close())
    const https = createHttpsServer({ key, cert }, (_request, response) => response.end("page"))
    await server.attach(https)
    const host = await listening(https)

    const websocket = new WebSocket(`wss://${host}/socket/websocket?vsn=2.0.0`, { ca: cert })
    await once(websocket, "open")
    websocket.send('["1","1","rooms:1","phx_join",{}]')
    const [answer] = (await once(websocket, "message")) as [Buffer]
    expect(JSON.parse(String(answer))).toEqual(["1", "1", "rooms:1", "phx_reply", ok()])

    const request = async (path: string): Promise<string> => {
      const [response] = (await once(get(`https://${host}${path}`, { ca: cert }), "response")) as [IncomingMessage]
      return text(response)
    }
    expect(JSON.parse(await request("/socket/longpoll?vsn=2.0.0"))).toMatchObject({ status: 410 })
    expect(await request("/")).toBe("page")
    expect(protocols).toEqual(["https:", "https:"])
  })
})

describe("listen", () => {
  it("rejects with address_in_use if the port is taken", async () => {
    const http = createHttpServer()
    const { port } = new URL(`http://${await listening(http)}`)
    const failure = serverAt("/socket").listen({ port: Number(port), host: "127.0.0.1" })
    await expect(failure).rejects.toMatchObject({
      code: "address_in_use",
      message: linked(
        `expected port ${port} to be free, got one that is in use: end the program that listens on it, or choose another port`,
        "address_in_use",
      ),
    })
  })

  it.each([-1, 65_536, 4000.5, Number.NaN])("rejects the invalid port %d", async (port) => {
    await expect(serverAt("/socket").listen(port)).rejects.toMatchObject({
      code: "config",
      message: linked(`expected a port from 0 to 65535, got ${port}`),
    })
  })

  it("closes a connection whose request does not end within handshakeTimeoutMs", async () => {
    const { port } = await serverAt("/socket", { handshakeTimeoutMs: 20 }).listen({ port: 0, host: "127.0.0.1" })
    const slow = connect(port, "127.0.0.1")
    slow.write("GET /socket/websocket HTTP/1.1\r\n")
    const [answer] = (await once(slow, "data")) as [Buffer]
    expect(answer.toString()).toContain("408 Request Timeout")
    slow.destroy()
  })

  it("listens on any free port for port 0, and returns its number", async () => {
    const { url, port } = await serverAt("/socket").listen({ port: 0, host: "127.0.0.1" })
    expect(url).toBe(`http://127.0.0.1:${port}`)
    expect(await page(`127.0.0.1:${port}`, "/")).toEqual([404, "not found"])
  })
})
