import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import express from "express"
import { Counter, collectDefaultMetrics, register } from "prom-client"
import { describe, expect, it, onTestFinished, vi } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import type { EnginePubSub } from "../../../src/pubsub/engine-pubsub.ts"
import { createServer } from "../../../src/server/index.ts"
import type { ListenOptions, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { freePort } from "../../support/free-port.js"
import { Inbox } from "../../support/inbox.ts"
import { scrape } from "../../support/scrape.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"
import { WireSocket } from "../../support/wire-socket.ts"

/** A server whose people are tracked, and where to ask how it is. */
function operated(options: ServerOptions = {}, listen: Partial<ListenOptions> = {}) {
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

const ask = async (url: string): Promise<[status: number, body: unknown]> => {
  const response = await fetch(url)
  return [response.status, await response.json()]
}

/** What came to a client in frames, heads included. */
function bytesTo(client: Client): number {
  const sizes = client.socket.inbox.items.map((seen) => (typeof seen === "string" ? Buffer.byteLength(seen) : 0))
  return sizes.reduce((sum, size) => sum + (size === 0 ? 0 : size + (size < 126 ? 2 : 4)), 0)
}

describe("metrics", () => {
  it("tell what clients did", async () => {
    const { client, operations, server } = await operated()
    const [ada, bob] = [await client(), await client()]
    expect(await ada.join("rooms:1")).toEqual(ok())
    expect(await bob.join("rooms:1")).toEqual(ok())
    const [join, echo] = ['["rooms:1","rooms:1","rooms:1","phx_join",{}]', '["rooms:1","1","rooms:1","echo","é€"]']
    await Promise.all([ada.rest(), bob.rest()])
    await bob.ask("rooms:1", "echo", "é€")
    const bytesOut = bytesTo(ada) + bytesTo(bob)
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

  it("tell of those who left, and of joins that came to nothing", async () => {
    const { client, operations, reached } = await operated()
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
    // Each join made a channel that is there or has left, or none.
    expect(metrics.get("rollcall_joins_total")).toBe(4)
    expect(metrics.get("rollcall_failed_joins_total")).toBe(1)
    expect(metrics.get("rollcall_leaves_total")).toBe(2)
  })

  it("tell what was dropped by reason, and of every reason that there is", async () => {
    const { client, operations, reached } = await operated({ maxChannels: 1 })
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

  it("tell of those who never got in", async () => {
    const timers = clock()
    const asked = new Inbox<string>("clients that connect was asked about")
    const { client, counted, url, reached } = await serve(
      (server) => {
        const connect = ({ address }: { address: string }): Promise<Record<string, unknown>> => {
          asked.put(address)
          return new Promise(() => undefined)
        }
        server.socket("/socket", { connect })
      },
      { timers },
    )
    const late = client()
    await asked.next()
    timers.advance(10_000)
    expect((await late).beginning).toMatchObject({ status: 503 })
    expect(counted.get("handshake_timeouts")).toBe(1)
    const stranger = new WireSocket(`${url}/socket/websocket`, { "sec-websocket-protocol": "chat" })
    await reached("bad_handshakes", 1)
    expect(await stranger.inbox.next()).toMatchObject({ status: 403 })
  })

  it("tell of messages that went no further than the bus", async () => {
    const engine = new LocalBus().join({ node: "one" })
    const { operations } = await operated({ pubsub: engine })
    engine.send("one", "anything", new Uint8Array())
    expect((await scrape(operations)).get('rollcall_drops_total{reason="bus_echo"}')).toBe(1)
  })

  it("reach a handed-in meter, sizes included", async () => {
    const sizes: [name: string, value: number][] = []
    const meter = { count: () => undefined, observe: (name: string, value: number) => void sizes.push([name, value]) }
    const { client } = await operated({ meter })
    const ada = await client()
    await ada.join("rooms:1")
    await ada.rest()
    expect(sizes).toEqual([["presence_diff_size", 1]])
  })

  it("tell of long polls, whose bytes are counted as well", async () => {
    const { operations, url } = await operated()
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

  it("tell of the other nodes, and of the bus to them", async () => {
    const bus = new LocalBus()
    const { operations } = await operated({ pubsub: bus.join({ node: "one" }) })
    const other = createServer({ pubsub: bus.join({ node: "two" }) })
    onTestFinished(() => other.close())
    const isUp = async (): Promise<unknown> => (await scrape(operations)).get('rollcall_node_up{node="two"}')
    await expect.poll(isUp, { timeout: 10_000 }).toBe(1)
    const metrics = await scrape(operations)
    expect(metrics.get('rollcall_node_silent_seconds{node="two"}')).toBeLessThan(5)
    expect(metrics.get("rollcall_bus_connected")).toBe(1)
  })

  it("tell of the event loop, and of what the program itself has registered", async () => {
    const { operations } = await operated()
    const orders = new Counter({ name: "orders_total", help: "Orders." })
    onTestFinished(() => register.clear())
    orders.inc(3)
    const before = await scrape(operations)
    expect(before.get("orders_total")).toBe(3)
    expect(before.get("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0)
    collectDefaultMetrics()
    expect([...(await scrape(operations)).keys()]).toContain("nodejs_eventloop_lag_p99_seconds")
  })

  it("fail with 500, and say why in the log, when what the program has registered fails", async () => {
    const { operations, logged } = await operated()
    const broken = new Error("broken")
    const counter = new Counter({ name: "broken_total", help: "Broken." })
    vi.spyOn(counter, "get").mockRejectedValue(broken)
    onTestFinished(() => register.clear())
    expect((await fetch(`${operations}/metrics`)).status).toBe(500)
    expect(logged).toEqual([{ message: "a report failed", details: { path: "/metrics", error: broken } }])
  })
})

describe("readiness", () => {
  it("is there while the server listens, and so is health", async () => {
    const { operations } = await operated()
    expect(await ask(`${operations}/ready`)).toEqual([200, { ready: true }])
    expect(await ask(`${operations}/health?from=probe`)).toEqual([200, { healthy: true }])
  })

  it("is gone while the engine is away, and comes back with it", async () => {
    const engine = new LocalBus().join({ node: "one" }) as EnginePubSub
    const { operations, counted, logged } = await operated({ pubsub: engine })
    engine.become("disconnected")
    expect(await ask(`${operations}/ready`)).toEqual([503, { ready: false, reasons: ["the bus is disconnected"] }])
    expect((await scrape(operations)).get("rollcall_bus_connected")).toBe(0)
    expect(counted.get("bus_breaks")).toBe(1)
    expect(logged).toEqual([{ message: "the connection to the bus is lost", details: { node: "one" } }])
    engine.become("connected")
    expect(await ask(`${operations}/ready`)).toEqual([200, { ready: true }])
  })

  it("is gone while the server closes, until it has closed", async () => {
    const engine = new LocalBus().join()
    let closed!: () => void
    const closing = new Promise<void>((resolve) => (closed = resolve))
    vi.spyOn(engine, "close").mockReturnValue(closing)
    const { operations, server } = await operated({ pubsub: engine })
    const ended = server.close()
    expect(await ask(`${operations}/ready`)).toEqual([503, { ready: false, reasons: ["closing"] }])
    expect(await ask(`${operations}/health`)).toEqual([200, { healthy: true }])
    closed()
    await ended
    await expect(fetch(`${operations}/health`)).rejects.toThrow("fetch failed")
  })

  it("is not there before the server listens", async () => {
    const server = createServer()
    const operations = await server.operations()
    const http = createHttpServer(operations)
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void http.close())
    const ready = `http://127.0.0.1:${(http.address() as AddressInfo).port}/ready`
    expect(await ask(ready)).toEqual([503, { ready: false, reasons: ["not listening yet"] }])
    await server.attach(http)
    onTestFinished(() => server.close())
    expect(await ask(ready)).toEqual([200, { ready: true }])
  })
})

describe("operations", () => {
  it("are on a port of their own, which nobody reaches from elsewhere by default", async () => {
    const { operations, url } = await operated()
    expect(operations).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${operations}/`)).status).toBe(404)
    expect((await fetch(`${operations}/metrics`, { method: "POST" })).status).toBe(404)
    expect((await fetch(`${url.replace("ws", "http")}/metrics`)).status).toBe(404)
  })

  it("end with the port that they belong to", async () => {
    const server = createServer()
    onTestFinished(() => server.close())
    const port = await freePort()
    const listening = await server.listen({ port: 0, operations: { port, host: "localhost" } })
    expect(listening.operations).toBe(`http://localhost:${port}`)
    await listening.close()
    await expect(fetch(`http://localhost:${port}/health`)).rejects.toThrow("fetch failed")
  })

  it("on a port that another has leave nothing open", async () => {
    const { operations } = await operated()
    const taken = Number(new URL(operations as string).port)
    const server = createServer()
    onTestFinished(() => server.close())
    const port = await freePort()
    await expect(server.listen({ port, operations: taken })).rejects.toMatchObject({ code: "address_in_use" })
    await server.listen(port)
  })

  it("stand beside the routes of Express, at any path", async () => {
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

  it("name what to install where prom-client is missing", async () => {
    vi.doMock("prom-client", () => {
      throw new Error("Cannot find package 'prom-client'")
    })
    onTestFinished(() => void vi.doUnmock("prom-client"))
    await expect(operated()).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("npm install prom-client"),
    })
  })
})
