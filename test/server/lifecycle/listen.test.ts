import { once } from "node:events"
import { createServer as createHttpServer } from "node:http"
import type { Server as HttpServer } from "node:http"
import { connect, Server as NetServer } from "node:net"
import type { AddressInfo } from "node:net"
import { describe, expect, it, onTestFinished, test, vi } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import { createServer } from "../../../src/server/index.ts"
import type { ListenOptions, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { linked } from "../../support/linked.ts"

const HOST = "127.0.0.1"

/** A server with one path for clients, which is closed with the test. */
function newServer(options: ServerOptions = {}): Server {
  const server = createServer({ logger: { warn: () => undefined, error: () => undefined }, ...options })
  server.socket("/socket")
  onTestFinished(() => server.close())
  return server
}

/** A port of this machine that a program listens on until the test ends. */
async function takenPort(): Promise<number> {
  const http = createHttpServer()
  http.listen(0, HOST)
  await once(http, "listening")
  onTestFinished(() => void http.close())
  return (http.address() as AddressInfo).port
}

const poll = async (url: string, token = ""): Promise<{ status: number; token: string }> => {
  const response = await fetch(`${url}/socket/longpoll?vsn=2.0.0&token=${token}`)
  return (await response.json()) as { status: number; token: string }
}

describe("invalid options of listen", () => {
  it.each<[string, Partial<ListenOptions>]>([
    ["no workers", { workers: 0 }],
    ["a half worker", { workers: 1.5 }],
    ["a port below 0", { port: -1 }],
    ["a port above 65535", { port: 65_536 }],
    ["a port that is no number", { port: "http" }],
    ["an empty port", { port: " " }],
    ["a path in place of a port", { port: "/run/rollcall.sock" }],
    ["no port", { port: undefined as unknown as number }],
    ["a list in place of a port", { port: [4000] as unknown as number }],
    ["a host that is no string", { host: 4000 as unknown as string }],
    ["an empty host, such as that of an unset variable, which Node takes for all interfaces", { host: "" }],
    ["a host of another machine", { host: "192.0.2.1" }],
    ["a host for operations of another machine", { operations: { port: 0, host: "192.0.2.1" } }],
    ["a port for operations that is no number", { operations: { port: "metrics" } }],
    ["no port for operations", { operations: null as unknown as number }],
    ["a timeout below 0", { keepAliveTimeout: -1 }],
    ["a timeout that is no number", { requestTimeout: "5s" as unknown as number }],
    ["a head that may take longer than its request", { headersTimeout: 2, requestTimeout: 1 }],
    ["a port for operations below 0", { operations: -1 }],
    ["a port for operations above 65535", { operations: { port: 65_536 } }],
    ["a signal that does not exist", { signals: ["SIGNAL" as NodeJS.Signals] }],
    ["a signal that no program can listen to", { signals: ["SIGKILL"] }],
    ["true in place of signals", { signals: true as unknown as false }],
    ["a request that is no function", { request: 5 as unknown as () => void }],
  ])("are refused with a ConfigError, and the server stays as it was: %s", async (_what, options) => {
    const timers = clock()
    const server = newServer({ timers })
    const before = { timers: timers.pending, SIGTERM: process.listenerCount("SIGTERM") }
    await expect(server.listen({ port: 0, host: HOST, ...options })).rejects.toMatchObject({ code: "config" })
    expect({ timers: timers.pending, SIGTERM: process.listenerCount("SIGTERM") }).toEqual(before)
    expect([server.role, server.stats().status]).toEqual(["single", "idle"])
  })

  it("are quoted in the message as they were given", async () => {
    const server = newServer()
    const workers = "2" as unknown as number
    const signals = "SIGTERM" as unknown as []
    await expect(server.listen({ port: 0, workers })).rejects.toThrow('a whole number of 1 or more, got "2"')
    await expect(server.listen({ port: 0, signals })).rejects.toThrow('a list such as ["SIGTERM"], got "SIGTERM"')
  })

  it("do not prevent the next listen from serving in this process", async () => {
    const server = newServer()
    await expect(server.listen({ port: 0, host: HOST, workers: 0 })).rejects.toMatchObject({ code: "config" })
    const { url } = await server.listen({ port: 0, host: HOST })
    expect(server.role).toBe("single")
    expect(await poll(url)).toMatchObject({ status: 410 })
  })
})

describe("a port that listen cannot use", () => {
  it.each<[unknown, string]>([
    [undefined, "got nothing: is the environment variable with the port set?"],
    [null, "got nothing: is the environment variable with the port set?"],
    ["http", 'got "http"'],
    [
      "/run/rollcall.sock",
      'got "/run/rollcall.sock": for a Unix socket or a pipe, attach the server to an HTTP server that listens on it',
    ],
    [true, "got a boolean"],
    [{}, "got nothing: is the environment variable with the port set?"],
  ])("is named in the error: %j", async (port, got) => {
    await expect(newServer().listen(port as number)).rejects.toMatchObject({
      code: "config",
      message: linked(`expected a port from 0 to 65535, ${got}`),
    })
  })
})

describe("a host as the second argument", () => {
  it("is the host to listen on, as in Node", async () => {
    expect(await newServer().listen(0, HOST)).toMatchObject({ host: HOST, url: expect.stringContaining(HOST) })
  })

  it.each<[string, unknown[], string]>([
    ["a callback", [0, () => undefined], "got a function as a second argument"],
    ["a backlog", [0, 511], "got 511 as a second argument"],
    ["options", [0, { host: HOST }], "got an object as a second argument"],
    ["a host behind options", [{ port: 0 }, HOST], `got "${HOST}" as a second argument`],
    ["an empty host", [0, ""], "got an empty text"],
  ])("is refused if it would be ignored: %s", async (_what, args, got) => {
    const listen = newServer().listen as (...args: unknown[]) => Promise<unknown>
    await expect(listen.apply(newServer(), args)).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining(got),
    })
  })
})

describe("a port that listen cannot open", () => {
  it("is named in the error with what to do, and the server listens on another port afterwards", async () => {
    const server = newServer()
    const port = await takenPort()
    await expect(server.listen({ port, host: HOST })).rejects.toMatchObject({
      code: "address_in_use",
      message: linked(
        `expected port ${port} to be free, got one that is in use: end the program that listens on it, or choose another port`,
        "address_in_use",
      ),
    })
    const first = await server.listen({ port: 0, host: HOST })
    await expect(server.listen({ port: first.port, host: HOST })).rejects.toMatchObject({ code: "address_in_use" })
    expect(await poll(first.url)).toMatchObject({ status: 410 })
    expect((await server.listen({ port: 0, host: HOST })).port).not.toBe(first.port)
  })

  it.each([
    ["EACCES", /got port 80 of "127.0.0.1": the system refuses it \(EACCES\)\. Choose a port/],
    ["ENOTFOUND", /an address or a name of this machine, got "127.0.0.1" \(ENOTFOUND\): leave host out/],
  ])("is named in the error with the reason of the system: %s", async (code, message) => {
    const listen = vi.spyOn(NetServer.prototype, "listen").mockImplementation(function (this: NetServer) {
      queueMicrotask(() => this.emit("error", Object.assign(new Error(`listen ${code}`), { code })))
      return this
    })
    onTestFinished(() => listen.mockRestore())
    await expect(newServer().listen({ port: 80, host: HOST })).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(message),
    })
  })
})

describe("a port as a string", () => {
  it("is taken as Node takes it, alone and in the options, also for operations", async () => {
    const server = newServer()
    const listening = await server.listen({ port: " 0 ", host: HOST, operations: { port: "0" } })
    expect((await fetch(`${listening.operations}/health`)).status).toBe(200)
    expect(await poll(listening.url)).toMatchObject({ status: 410 })
    expect((await server.listen("0")).port).toBeGreaterThan(0)
    await expect(server.listen({ port: String(await takenPort()), host: HOST })).rejects.toMatchObject({
      code: "address_in_use",
    })
  })
})

describe("the settings of the HTTP server", () => {
  /** Listens, and returns the HTTP server. */
  async function httpServerOf(options: Partial<ListenOptions>, serverOptions: ServerOptions = {}): Promise<HttpServer> {
    const opened: NetServer[] = []
    const { listen } = NetServer.prototype
    const spy = vi.spyOn(NetServer.prototype, "listen").mockImplementation(function (this: NetServer, ...rest: any) {
      opened.push(this)
      return listen.apply(this, rest)
    })
    await newServer(serverOptions).listen({ port: 0, host: HOST, ...options })
    spy.mockRestore()
    return opened[0] as HttpServer
  }

  it("are those of listen", async () => {
    const settings = {
      keepAliveTimeout: 65_000,
      headersTimeout: 7_000,
      requestTimeout: 9_000,
      maxRequestsPerSocket: 10,
    }
    expect(await httpServerOf(settings)).toMatchObject(settings)
    const noLimits = { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 }
    expect(await httpServerOf(noLimits)).toMatchObject(noLimits)
  })

  it("by default are Node's, with handshakeTimeoutMs for the head of a request", async () => {
    const { keepAliveTimeout, requestTimeout, maxRequestsPerSocket } = createHttpServer()
    const defaults = { keepAliveTimeout, requestTimeout, maxRequestsPerSocket }
    expect(await httpServerOf({}, { handshakeTimeoutMs: 1_234 })).toMatchObject({ ...defaults, headersTimeout: 1_234 })
    expect(await httpServerOf({ requestTimeout: 1_000 })).toMatchObject({
      headersTimeout: 1_000,
      requestTimeout: 1_000,
    })
  })

  it("limit the time of a whole request", async () => {
    const { port } = await newServer().listen({ port: 0, host: HOST, requestTimeout: 20 })
    const slow = connect(port, HOST)
    onTestFinished(() => void slow.destroy())
    // A busy server may close the connection before it has read anything, which resets it.
    slow.on("error", () => undefined)
    slow.write("POST /socket/longpoll HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\n")
    await new Promise((resolve) => slow.resume().once("close", resolve))
  })

  it("limit the size of a request's head", async () => {
    const { url } = await newServer().listen({ port: 0, host: HOST, maxHeaderSize: 1_000 })
    expect((await fetch(url, { headers: { "x-long": "x".repeat(2_000) } })).status).toBe(431)
  })
})

describe("a listen that fails", () => {
  it.each<[string, (taken: number) => Partial<ListenOptions>]>([
    ["its port is in use", (port) => ({ port })],
    ["the port of its operations is in use", (port) => ({ operations: port })],
  ])("closes all that it had opened, when %s", async (_why, taken) => {
    const bus = new LocalBus().join({ node: "one" })
    const open = new Set<object>()
    const { subscribe } = bus
    vi.spyOn(bus, "subscribe").mockImplementation(async (topic, receive) => {
      const subscription = { topic }
      open.add(subscription)
      const undo = await subscribe.call(bus, topic, receive)
      return () => {
        open.delete(subscription)
        undo()
      }
    })
    const timers = clock()
    // The tracker has a clock of its own, because it sets its timers some time after the server was created.
    const server = newServer({ pubsub: bus, timers, tracker: { timers: clock() } })
    const state = (): object => ({
      subscriptions: open.size,
      timers: timers.pending,
      signals: process.listenerCount("SIGTERM"),
      status: server.stats().status,
    })
    const before = state()
    const port = await takenPort()
    await expect(server.listen({ port: 0, host: HOST, ...taken(port) })).rejects.toMatchObject({
      code: "address_in_use",
    })
    expect(state()).toEqual(before)
    const { url } = await server.listen({ port: 0, host: HOST })
    expect(await poll(url)).toMatchObject({ status: 410 })
  })
})

test("an error that an HTTP server reports after it listens is logged, and does not end the process", async () => {
  const opened: NetServer[] = []
  const { listen } = NetServer.prototype
  const spy = vi.spyOn(NetServer.prototype, "listen").mockImplementation(function (this: NetServer, ...rest: any) {
    opened.push(this)
    return listen.apply(this, rest)
  })
  onTestFinished(() => spy.mockRestore())
  const logged: unknown[] = []
  const logger = {
    warn: () => undefined,
    error: (message: string, details: unknown) => logged.push([message, details]),
  }
  const server = newServer({ logger })
  await server.listen({ port: 0, host: HOST, operations: 0 })
  const error = new Error("accept EMFILE")
  for (const each of opened) for (let n = 0; n < 2; n += 1) each.emit("error", error)
  const entry = ["an HTTP server reported an error", { port: 0, error }]
  expect(logged).toEqual([entry, entry, entry, entry])
})

describe("closing a port", () => {
  it("twice leaves the long-poll sessions of the server's other port open", async () => {
    const server = newServer()
    server.channel("rooms:*", { join: () => ({ ok: {} }) })
    const [kept, closed] = [await server.listen({ port: 0, host: HOST }), await server.listen({ port: 0, host: HOST })]
    const { token } = await poll(kept.url)
    await Promise.all([closed.close(), closed.close()])
    await closed.close()
    const join = { method: "POST", body: '["1","1","rooms:1","phx_join",{}]' }
    await fetch(`${kept.url}/socket/longpoll?vsn=2.0.0&token=${token}`, join)
    expect(await poll(kept.url, token)).toMatchObject({ status: 200 })
  })

  it.each([
    ["a WebSocket", "websocket"],
    ["a long poll", "longpoll"],
    ["a long poll that offers an upgrade", "longpoll"],
  ])("refuses clients for which connect has not answered yet: %s", async (what, transport) => {
    const server = createServer({ logger: { warn: () => undefined, error: () => undefined } })
    onTestFinished(() => server.close())
    let accept!: (assigns: object) => void
    const asked = new Promise<AbortSignal>((resolve) => {
      server.socket("/socket", {
        connect: ({ signal }) => {
          resolve(signal)
          return new Promise((answer) => (accept = answer))
        },
      })
    })
    const listening = await server.listen({ port: 0, host: HOST })
    const headers = what === "a long poll" ? "" : "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    const key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    const client = connect(listening.port, HOST)
    onTestFinished(() => void client.destroy())
    client.write(`GET /socket/${transport}?vsn=2.0.0 HTTP/1.1\r\nHost: here\r\n${headers}${key}\r\n`)
    const signal = await asked
    const closed = listening.close()
    expect(signal.aborted).toBe(true)
    accept({})
    // The client does not disconnect by itself, and the port closes nevertheless.
    await closed
    expect(server.stats()).toMatchObject({ connections: 0, status: "idle" })
  })

  it("again and again leaves nothing behind: no listener for signals, no timer", async () => {
    const timers = clock()
    const server = newServer({ timers, tracker: { timers: clock() } })
    const signals = process.listenerCount("SIGTERM")
    const kept = await server.listen({ port: 0, host: HOST })
    const state = (): object => ({
      signals: process.listenerCount("SIGTERM"),
      winch: process.listenerCount("SIGWINCH"),
      timers: timers.pending,
    })
    const before = state()
    for (let round = 0; round < 3; round += 1) {
      const { close } = await server.listen({ port: 0, host: HOST, signals: ["SIGWINCH", "SIGTERM"] })
      await close()
      expect(state()).toEqual(before)
    }
    await kept.close()
    expect(process.listenerCount("SIGTERM")).toBe(signals)
  })

  it("makes the server idle when it was the last one", async () => {
    const server = newServer()
    const ports = [await server.listen({ port: 0, host: HOST }), await server.listen({ port: 0, host: HOST })]
    await ports[0]?.close()
    expect(server.stats().status).toBe("listening")
    await ports[1]?.close()
    expect(server.stats().status).toBe("idle")
  })
})
