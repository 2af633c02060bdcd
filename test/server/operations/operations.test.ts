import { linked } from "../../support/linked.ts"
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import express from "express"
import { Counter, collectDefaultMetrics, register } from "prom-client"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import type { PubSub } from "../../../src/pubsub/pubsub.ts"
import type { EnginePubSub } from "../../../src/pubsub/engine-pubsub.ts"
import { createServer, RollcallError } from "../../../src/server/index.ts"
import type { ListenOptions, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { freePort } from "../../support/free-port.js"
import { Inbox } from "../../support/inbox.ts"
import { proxied } from "../../support/proxied-pubsub.ts"
import { scrape } from "../../support/scrape.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"
import { WireSocket } from "../../support/wire-socket.ts"

/** A server that tracks a user for each channel, with a port for operations. A client called `eve` is refused. */
function serveWithOperations(options: ServerOptions = {}, listen: Partial<ListenOptions> = {}) {
  const setUp = (server: Server): void => {
    server.socket("/socket")
    server.channel("rooms:*", {
      join: (_topic, { name }) => (name === "eve" ? { error: {} } : { ok: {} }),
      joined: (channel) => void server.presence.track(channel, channel.pid),
      on: { echo: (payload) => ({ ok: payload }) },
    })
  }
  return serve(setUp, options, { operations: 0, ...listen })
}

const getJson = async (url: string): Promise<[status: number, body: unknown]> => {
  const response = await fetch(url)
  return [response.status, await response.json()]
}

/** Returns the bytes of all frames that a client has received, with their headers. */
function bytesReceivedBy(client: Client): number {
  const sizes = client.socket.inbox.items.map((seen) => (typeof seen === "string" ? Buffer.byteLength(seen) : 0))
  return sizes.reduce((sum, size) => sum + (size === 0 ? 0 : size + (size < 126 ? 2 : 4)), 0)
}

describe("metrics", () => {
  it("count connections, joins, messages and bytes", async () => {
    const { client, operations, server } = await serveWithOperations()
    const [ada, bob] = [await client(), await client()]
    expect(await ada.join("rooms:1")).toEqual(ok())
    expect(await bob.join("rooms:1")).toEqual(ok())
    const [join, echo] = ['["rooms:1","rooms:1","rooms:1","phx_join",{}]', '["rooms:1","1","rooms:1","echo","é€"]']
    await Promise.all([ada.rest(), bob.rest()])
    await bob.ask("rooms:1", "echo", "é€")
    const bytesOut = bytesReceivedBy(ada) + bytesReceivedBy(bob)
    const metrics = await scrape(operations)
    expect(Object.fromEntries([...metrics].filter(([, value]) => value !== 0))).toMatchObject({
      rollcall_connections: 2,
      rollcall_channels: 2,
      rollcall_topics: 1,
      rollcall_tracker_rows: 2,
      rollcall_connects_total: 2,
      rollcall_joins_total: 2,
      rollcall_frames_in_total: 3,
      rollcall_bytes_in_total: 2 * join.length + Buffer.byteLength(echo),
      rollcall_bytes_out_total: bytesOut,
      'rollcall_presence_diff_size_bucket{le="+Inf"}': 2,
      'rollcall_presence_diff_size_bucket{le="1"}': 2,
      rollcall_presence_diff_size_sum: 2,
      rollcall_presence_diff_size_count: 2,
    })
    expect(server.stats()).toMatchObject({ status: "listening", connections: 2, channels: 2, trackerRows: 2 })
  })

  it("count channels that ended and joins that failed, so that joins = channels + leaves + failed joins", async () => {
    const { client, operations, reached } = await serveWithOperations()
    const [ada, bob] = [await client(), await client()]
    expect(await ada.join("rooms:2", { name: "eve" })).toEqual(error({}))
    await ada.join("rooms:1")
    await bob.join("rooms:1")
    await ada.join("rooms:1")
    bob.socket.close(1000)
    await reached("disconnects", 1)
    const metrics = await scrape(operations)
    expect(metrics.get("rollcall_connections")).toBe(1)
    expect(metrics.get("rollcall_channels")).toBe(1)
    expect(metrics.get("rollcall_tracker_rows")).toBe(1)
    expect(metrics.get("rollcall_joins_total")).toBe(4)
    expect(metrics.get("rollcall_failed_joins_total")).toBe(1)
    expect(metrics.get("rollcall_leaves_total")).toBe(2)
  })

  it("count drops by reason, and report every reason, also before its first drop", async () => {
    const { client, operations, reached } = await serveWithOperations({ maxChannels: 1 })
    const [ada, bob] = [await client(), await client()]
    await ada.join("rooms:1")
    await ada.rest()
    await ada.join("rooms:2")
    await ada.ask("rooms:3", "echo")
    await ada.join("halls:1")
    bob.socket.send("no frame")
    await reached("disconnects", 1)
    const drops = [...(await scrape(operations))].filter(([name]) => name.startsWith("rollcall_drops_total"))
    expect(drops.length).toBeGreaterThan(30)
    expect(drops.filter(([, value]) => value > 0)).toEqual([
      ['rollcall_drops_total{reason="bad_frames"}', 1],
      ['rollcall_drops_total{reason="unmatched_messages"}', 2],
      ['rollcall_drops_total{reason="channel_overflows"}', 1],
    ])
  })

  it("count handshakes that took too long or were malformed", async () => {
    const timers = clock()
    const addresses = new Inbox<string>("calls of connect")
    const { client, counted, url, reached } = await serve(
      (server) => {
        const connect = ({ address }: { address: string }): Promise<Record<string, unknown>> => {
          addresses.put(address)
          return new Promise(() => undefined)
        }
        server.socket("/socket", { connect })
      },
      { timers },
    )
    const late = client()
    await addresses.next()
    timers.advance(10_000)
    expect((await late).beginning).toMatchObject({ status: 503 })
    expect(counted.get("handshake_timeouts")).toBe(1)
    const malformed = new WireSocket(`${url}/socket/websocket`, { "sec-websocket-protocol": "chat" })
    await reached("bad_handshakes", 1)
    expect(await malformed.inbox.next()).toMatchObject({ status: 403 })
  })

  it("count messages that the bus dropped", async () => {
    const engine = new LocalBus().join({ node: "one" })
    const { operations } = await serveWithOperations({ pubsub: engine })
    engine.send("one", "anything", new Uint8Array())
    expect((await scrape(operations)).get('rollcall_drops_total{reason="bus_echo"}')).toBe(1)
  })

  it("are passed on to the meter option, sizes included", async () => {
    const sizes: [name: string, value: number][] = []
    const meter = { count: () => undefined, observe: (name: string, value: number) => void sizes.push([name, value]) }
    const { client } = await serveWithOperations({ meter })
    const ada = await client()
    await ada.join("rooms:1")
    await ada.rest()
    expect(sizes).toEqual([["presence_diff_size", 1]])
  })

  it("count long polls and their messages and bytes", async () => {
    const { operations, url } = await serveWithOperations()
    const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
    const { token } = (await (await fetch(address)).json()) as { token: string }
    const join = '["1","1","rooms:é","phx_join",{}]'
    await fetch(`${address}&token=${token}`, { method: "POST", body: join })
    const { messages } = (await (await fetch(`${address}&token=${token}`)).json()) as { messages: string[] }
    const metrics = await scrape(operations)
    expect(metrics.get("rollcall_polls_total")).toBe(1)
    expect(metrics.get("rollcall_frames_out_total")).toBe(messages.length)
    expect(metrics.get("rollcall_bytes_in_total")).toBe(Buffer.byteLength(join))
    expect(metrics.get("rollcall_bytes_out_total")).toBe(Buffer.byteLength(messages.join("")))
  })

  it("report the other nodes and the status of the bus", async () => {
    const bus = new LocalBus()
    const { operations } = await serveWithOperations({ pubsub: bus.join({ node: "one" }) })
    const other = createServer({ pubsub: bus.join({ node: "two" }) })
    onTestFinished(() => other.close())
    const isUp = async (): Promise<unknown> => (await scrape(operations)).get('rollcall_node_up{node="two"}')
    await expect.poll(isUp).toBe(1)
    const silentSeconds = async (): Promise<number | undefined> =>
      (await scrape(operations)).get('rollcall_node_silent_seconds{node="two"}')
    await expect.poll(silentSeconds).toBeLessThan(5)
    expect((await scrape(operations)).get("rollcall_bus_connected")).toBe(1)
  })

  it("include Node's own, once, and those that the program has registered with prom-client", async () => {
    const { operations } = await serveWithOperations()
    const orders = new Counter({ name: "orders_total", help: "Orders." })
    onTestFinished(() => register.clear())
    orders.inc(3)
    expect((await scrape(operations)).get("orders_total")).toBe(3)
    // A report has the lags since the one before. They are measured every 10 ms.
    const lag = async (): Promise<unknown> => (await scrape(operations)).get("nodejs_eventloop_lag_p99_seconds")
    await expect.poll(lag).toBeGreaterThan(0)
    collectDefaultMetrics()
    expect([...(await scrape(operations)).keys()]).toContain("nodejs_eventloop_lag_p99_seconds")
  })

  it("are answered with 500 and logged, when one that the program has registered throws", async () => {
    const { operations, logged } = await serveWithOperations()
    const broken = new Error("broken")
    const counter = new Counter({ name: "broken_total", help: "Broken." })
    vi.spyOn(counter, "get").mockRejectedValue(broken)
    onTestFinished(() => register.clear())
    expect((await fetch(`${operations}/metrics`)).status).toBe(500)
    expect(logged).toEqual([{ message: "a report failed", details: { path: "/metrics", error: broken } }])
  })
})

describe("/ready and /health", () => {
  it("answer 200 while the server listens", async () => {
    const { operations } = await serveWithOperations()
    expect(await getJson(`${operations}/ready`)).toEqual([200, { ready: true }])
    expect(await getJson(`${operations}/health?from=probe`)).toEqual([200, { healthy: true }])
  })

  it("/ready answers 503 while the engine is disconnected and says since when and why, which is counted and logged", async () => {
    const engine = new LocalBus().join({ node: "one" }) as EnginePubSub
    const { operations, counted, logged, server } = await serveWithOperations({ pubsub: engine })
    expect(server.stats()).toMatchObject({ bus: "connected", busAwaySince: undefined, busAwayMs: 0 })
    engine.setStatus("disconnected", new Error("the engine is stopped"))
    const { busAwaySince: since, busAwayMs, busProblem } = server.stats()
    expect([new Date(since!).toISOString(), busProblem]).toEqual([since, "the engine is stopped"])
    expect(busAwayMs).toBeGreaterThanOrEqual(0)
    const reasons = [`the bus is disconnected since ${since}: the engine is stopped`]
    expect(await getJson(`${operations}/ready`)).toEqual([503, { ready: false, reasons }])
    const metrics = await scrape(operations)
    expect(metrics.get("rollcall_bus_connected")).toBe(0)
    expect(metrics.get("rollcall_bus_away_seconds")).toBeGreaterThan(0)
    expect(counted.get("bus_breaks")).toBe(1)
    const lost = { node: "one", since, problem: "the engine is stopped" }
    expect(logged).toEqual([{ message: "the connection to the bus is lost", details: lost }])
    engine.setStatus("connected")
    expect(await getJson(`${operations}/ready`)).toEqual([200, { ready: true }])
    const back = { node: "one", since, lastedMs: expect.any(Number) }
    expect(logged.slice(1)).toEqual([{ message: "the connection to the bus is back", details: back }])
    expect((await scrape(operations)).get("rollcall_bus_away_seconds")).toBe(0)
  })

  it("/ready answers 503 with the reason while the engine refuses the tracker's topic, and 200 once it allows it", async () => {
    const inner = new LocalBus().join({ node: "one" })
    let isAllowed = false
    const subscribe: PubSub["subscribe"] = async (topic, receive) => {
      if (isAllowed || !topic.startsWith("tracker:")) return inner.subscribe(topic, receive)
      throw new RollcallError("subscribe_refused", `expected to be allowed to subscribe to ${topic}, got: NOPERM`)
    }
    const pubsub = { ...proxied(inner), subscribe }
    const timers = clock()
    const { operations, server } = await serveWithOperations({ pubsub, tracker: { timers } })
    const refusal = "expected to be allowed to subscribe to tracker:presence:0, got: NOPERM"
    const reasons = [linked(refusal, "subscribe_refused")]
    await expect.poll(() => server.stats().busRefusals).toEqual(reasons)
    expect(await getJson(`${operations}/ready`)).toEqual([503, { ready: false, reasons }])
    isAllowed = true
    timers.advance(10_000)
    await expect.poll(() => server.stats().busRefusals).toEqual([])
    expect(await getJson(`${operations}/ready`)).toEqual([200, { ready: true }])
  })

  it("an error that the engine reports, such as a second node of the same name, is logged", async () => {
    const engine = new LocalBus().join({ node: "one" }) as EnginePubSub
    const { logged } = await serveWithOperations({ pubsub: engine })
    const error = new RollcallError("name_conflict", "two nodes have one name")
    engine.report(error)
    expect(logged).toEqual([{ message: "the bus reported an error", details: { error } }])
  })

  it("/ready answers 503 while the server closes; /health answers 200 until it has closed", async () => {
    const engine = new LocalBus().join()
    let closed!: () => void
    const closing = new Promise<void>((resolve) => (closed = resolve))
    vi.spyOn(engine, "close").mockReturnValue(closing)
    const { operations, server } = await serveWithOperations({ pubsub: engine })
    const ended = server.close()
    expect(await getJson(`${operations}/ready`)).toEqual([503, { ready: false, reasons: ["closing"] }])
    expect(await getJson(`${operations}/health`)).toEqual([200, { healthy: true }])
    closed()
    await ended
    await expect(fetch(`${operations}/health`)).rejects.toThrow("fetch failed")
  })

  it("/ready answers 503 before the server listens", async () => {
    const server = createServer()
    const operations = await server.operations()
    const http = createHttpServer(operations)
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void http.close())
    const ready = `http://127.0.0.1:${(http.address() as AddressInfo).port}/ready`
    expect(await getJson(ready)).toEqual([503, { ready: false, reasons: ["not listening yet"] }])
    await server.attach(http)
    onTestFinished(() => server.close())
    expect(await getJson(ready)).toEqual([200, { ready: true }])
  })
})

describe("the port for operations", () => {
  it("is at 127.0.0.1 by default, and the port for clients does not serve reports", async () => {
    const { operations, url } = await serveWithOperations()
    expect(operations).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${operations}/`)).status).toBe(404)
    expect((await fetch(`${operations}/metrics`, { method: "POST" })).status).toBe(404)
    expect((await fetch(`${url.replace("ws", "http")}/metrics`)).status).toBe(404)
  })

  it("closes with the port that it belongs to", async () => {
    const server = createServer()
    onTestFinished(() => server.close())
    const { operations, close } = await server.listen({ port: 0, operations: { port: 0, host: "localhost" } })
    expect(operations).toMatch(/^http:\/\/localhost:\d+$/)
    expect((await fetch(`${operations}/health`)).status).toBe(200)
    await close()
    await expect(fetch(`${operations}/health`)).rejects.toThrow("fetch failed")
  })

  it("makes listen fail when it is in use, and the port for clients stays closed", async () => {
    const { operations } = await serveWithOperations()
    const taken = Number(new URL(operations as string).port)
    const server = createServer()
    onTestFinished(() => server.close())
    const port = await freePort()
    await expect(server.listen({ port, operations: taken })).rejects.toMatchObject({ code: "address_in_use" })
    await server.listen(port)
  })

  it("is not needed with Express, where server.operations() is a middleware at any path", async () => {
    const server = createServer()
    onTestFinished(() => server.close())
    const app = express()
    app.use("/inside", await server.operations())
    app.get("/inside/else", (_request, response) => void response.send("else"))
    const http = createHttpServer(app)
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void http.close())
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/inside`
    expect((await scrape(url)).get("rollcall_connections")).toBe(0)
    expect(await (await fetch(`${url}/else`)).text()).toBe("else")
  })

  it("makes listen reject with the package to install when prom-client is missing", async () => {
    vi.doMock("prom-client", () => {
      throw new Error("Cannot find package 'prom-client'")
    })
    onTestFinished(() => vi.doUnmock("prom-client"))
    await expect(serveWithOperations()).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("npm install prom-client"),
    })
  })
})
