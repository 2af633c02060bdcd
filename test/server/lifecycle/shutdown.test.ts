import { once } from "node:events"
import { createServer as createHttpServer } from "node:http"
import { connect, Server as NetServer } from "node:net"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { LocalBus } from "../../../src/pubsub/local.ts"
import type { PubSub } from "../../../src/pubsub/pubsub.ts"
import { createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { clock } from "../../support/clock.ts"
import type { Clock } from "../../support/clock.ts"
import { disconnectAll, officialSocket, Presence, reply } from "../../support/phoenix-client.ts"
import { Client, ok, serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"
import { WireSocket } from "../../support/wire-socket.ts"

const told = (code: number): unknown => ({ event: "close", code, reason: "" })
const quiet = { warn: () => undefined, error: () => undefined }

function room(server: Server): void {
  server.socket("/socket")
  server.channel("rooms:*", { join: () => ({ ok: {} }) })
}

/** What a promise has come to by now, or "pending". */
const sofar = (promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise, new Promise((resolve) => setImmediate(resolve, "pending"))])

/** Lets seconds pass until something is done. */
async function passing(timers: Clock, pending: Promise<unknown>): Promise<void> {
  let done = false
  void pending.then(() => (done = true))
  await until(() => (timers.advance(1_000), done))
}

describe("closing (P18)", () => {
  it("ends every connection with 1012, so that clients come back to another", async () => {
    const { server, client } = await serve(room)
    const [one, idle] = [await client(), await client()]
    await one.join("rooms:1")
    await server.close()
    for (const each of [one, idle]) expect(await each.next()).toEqual(told(1012))
  })

  it("tells of its last changes, however long it gathers them, and leaves no timer for them", async () => {
    const timers = clock()
    const { server, client } = await serve(
      (server) => {
        server.socket("/socket")
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          joined: (channel) => void server.presence.track(channel, "ada"),
        })
      },
      { timers, presenceWindowMs: 60_000 },
    )
    const diffs: string[] = []
    server.presence.onDiff((_topic, { joins, leaves }) => {
      diffs.push(`+${Object.keys(joins).join()} -${Object.keys(leaves).join()}`)
    })
    await (await client()).join("rooms:1")
    timers.advance(60_000)
    await until(() => diffs.length > 0)
    await server.close()
    expect(diffs).toEqual(["+ada -", "+ -ada"])
    expect(timers.pending).toBe(0)
  })

  it("goes in batches, and serves who waits for his turn as before", async () => {
    const timers = clock()
    const { server, client } = await serve(room, { timers, drainBatch: 2, drainIntervalMs: 100 })
    const clients = [await client(), await client(), await client(), await client(), await client()]
    for (const each of clients) await each.join("rooms:1")
    const closed = server.close()
    for (const each of clients.slice(0, 2)) expect(await each.next()).toEqual(told(1012))
    server.broadcast("rooms:1", "news")
    for (const each of clients.slice(2)) expect(await each.next()).toEqual([null, null, "rooms:1", "news", {}])
    expect(await clients[4]?.join("rooms:2")).toEqual(ok())
    timers.advance(100)
    for (const each of clients.slice(2, 4)) expect(await each.next()).toEqual(told(1012))
    expect(await clients[4]?.rest()).toEqual([])
    expect(await sofar(closed)).toBe("pending")
    timers.advance(100)
    expect(await clients[4]?.next()).toEqual(told(1012))
    await closed
  })

  it("begins by letting nobody in: the port of its own is closed", async () => {
    const timers = clock()
    const { server, client, url } = await serve(room, { timers, drainBatch: 1, drainIntervalMs: 100 })
    const [first, second] = [await client(), await client()]
    const closed = server.close()
    expect(await first.next()).toEqual(told(1012))
    const late = connect(Number(new URL(url).port), "127.0.0.1")
    const [error] = (await once(late, "error")) as [NodeJS.ErrnoException]
    expect(error.code).toBe("ECONNREFUSED")
    timers.advance(100)
    expect(await second.next()).toEqual(told(1012))
    await closed
  })

  it("on an HTTP server that is not its own, answers who comes with 503, and lets go of it at the end", async () => {
    const timers = clock()
    const http = createHttpServer((_request, response) => response.end("page"))
    const server = createServer({ timers, drainBatch: 1, drainIntervalMs: 100, logger: quiet })
    room(server)
    await server.attach(http)
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void http.close())
    const { port } = http.address() as AddressInfo
    const come = async (): Promise<Client> => {
      const client = new Client(new WireSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`))
      await client.socket.inbox.next()
      return client
    }
    const [first, second] = [await come(), await come()]
    const closed = server.close()
    expect(await first.next()).toEqual(told(1012))
    expect((await come()).beginning).toMatchObject({ event: "http-refused", status: 503 })
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("page")
    timers.advance(100)
    expect(await second.next()).toEqual(told(1012))
    await closed
    expect((await come()).beginning).toMatchObject({ event: "http-refused", status: 404 })
  })

  it("turns away at once who waits for connect to decide, and does not wait for it", async () => {
    let asked = 0
    const { server, url } = await serve((server) => {
      server.socket("/socket", { connect: () => ((asked += 1), new Promise(() => undefined)) })
    })
    const waiting = new WireSocket(`${url}/socket/websocket?vsn=2.0.0`)
    const polling = fetch(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    await until(() => asked === 2)
    await server.close()
    expect(await waiting.inbox.next()).toMatchObject({ event: "http-refused", status: 503 })
    expect(await (await polling).json()).toEqual({ status: 500 })
  })

  it("answers a waiting poll, and is done once that answer is out", async () => {
    const { server, url } = await serve(room)
    const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
    const { token } = (await (await fetch(address)).json()) as { token: string }
    const poll = fetch(`${address}&token=${token}`)
    await fetch(`${address}&token=${token}`, { method: "POST", body: '["1","1","rooms:1","phx_join",{}]' })
    expect(await (await poll).json()).toMatchObject({ status: 200 })
    const waiting = fetch(`${address}&token=${token}`)
    await fetch(address, { method: "OPTIONS" })
    await server.close()
    expect(await (await waiting).json()).toEqual({ status: 204, messages: [], token })
  })

  it("does not wait for a client that does not answer the goodbye, nor for one that does not read its answer", async () => {
    const timers = clock()
    const { server, url, client, reached } = await serve(room, { timers })
    const silent = await client()
    silent.socket.raw.pause()
    const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
    const { token } = (await (await fetch(address)).json()) as { token: string }
    await fetch(`${address}&token=${token}`, { method: "POST", body: '["1","1","rooms:1","phx_join",{}]' })
    await reached("frames_out", 1)
    for (let n = 0; n < 7; n += 1) server.broadcast("rooms:1", "news", { text: "x".repeat(1_000_000) })
    const reader = connect(Number(new URL(url).port), "127.0.0.1")
    onTestFinished(() => void reader.destroy())
    reader.on("error", () => undefined).pause()
    reader.write(`GET /socket/longpoll?vsn=2.0.0&token=${token} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await reached("polls", 1)
    await passing(timers, server.close())
  })

  it("is done once, however often and by whomever it is asked for, and lets nobody in any more", async () => {
    const asked: Promise<void>[] = []
    const { server, client } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }), left: () => void asked.push(server.close()) })
    })
    await (await client()).join("rooms:1")
    const closing = server.close()
    asked.push(server.close())
    await closing
    expect(asked).toEqual([closing, closing])
    const url = new URL("http://localhost/socket/websocket")
    const request = { path: "/socket", params: {}, headers: {}, address: "", url, signal: new AbortController().signal }
    expect(await server.endpoint.admit(request)).toMatchObject({ ok: false, status: 503 })
  })

  it.each([
    ["until they are done", 1_000, []],
    ["but not for longer than five seconds", Infinity, ["the server closes without waiting any longer"]],
  ])("waits for what left handlers still do, %s", async (_how, ms, warnings) => {
    const timers = clock()
    const { server, client, logged } = await serve(
      (server) => {
        server.socket("/socket")
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          left: () => new Promise((written) => timers.set(written, ms)),
        })
      },
      { timers },
    )
    const one = await client()
    await one.join("rooms:1")
    const closed = server.close()
    await until(() => one.socket.ended)
    expect(await sofar(closed)).toBe("pending")
    await passing(timers, closed)
    expect(logged.map(({ message }) => message)).toEqual(warnings)
  })
})

describe("a server that was told to close", () => {
  const refused = { name: "RollcallError", code: "closed", message: expect.stringContaining("close() was called") }

  /** Every HTTP server that is opened from now on; `opening` is called as each is. */
  function watchPorts(opening: () => unknown = () => undefined): NetServer[] {
    const opened: NetServer[] = []
    const { listen } = NetServer.prototype
    const spy = vi.spyOn(NetServer.prototype, "listen").mockImplementation(function (this: NetServer, ...rest: any) {
      opened.push(this)
      opening()
      return listen.apply(this, rest)
    })
    onTestFinished(() => spy.mockRestore())
    return opened
  }

  it.each(["while it closes", "when it is closed"])("opens nothing any more, %s", async (when) => {
    const opened = watchPorts()
    const server = createServer()
    const http = createHttpServer()
    const closed = server.close()
    if (when === "when it is closed") await closed
    await expect(server.listen({ port: 0, host: "127.0.0.1" })).rejects.toMatchObject(refused)
    await expect(server.listen({ port: 0, workers: 2 })).rejects.toMatchObject(refused)
    await expect(server.attach(http)).rejects.toMatchObject(refused)
    expect([opened, http.listenerCount("upgrade"), server.role]).toEqual([[], 0, "single"])
  })

  it("opens nothing that it was about to", async () => {
    const opened = watchPorts()
    const server = createServer()
    const http = createHttpServer()
    const asked = [server.listen({ port: 0, host: "127.0.0.1" }), server.attach(http)]
    const closed = server.close()
    for (const each of asked) await expect(each).rejects.toMatchObject(refused)
    await closed
    expect([opened, http.listenerCount("upgrade")]).toEqual([[], 0])
  })

  it.each([
    ["port", 1],
    ["operations' port", 2],
  ])("closes what it is just opening: its %s", async (_name, last) => {
    const server = createServer()
    let closed: Promise<void> | undefined
    const opened: NetServer[] = watchPorts(() => opened.length === last && (closed = server.close()))
    await expect(server.listen({ port: 0, host: "127.0.0.1", operations: 0 })).rejects.toMatchObject(refused)
    await closed
    expect(opened.map(({ listening }) => listening)).toEqual(Array(last).fill(false))
  })
})

describe("closing one node of several", () => {
  afterEach(disconnectAll)

  /** A node, and users of it who do not come back by themselves. */
  function node(pubsub: PubSub, options: ServerOptions) {
    const server = createServer<{ name: string }>({ pubsub, logger: quiet, ...options })
    onTestFinished(() => server.close())
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      joined(channel) {
        server.presence.track(channel, channel.assigns.name)
        channel.push("presence_state", server.presence.list(channel.topic))
      },
      on: { shout: (payload, channel) => channel.broadcast("shout", payload) },
    })
    const { WebSocket } = memoryTransport(server)
    async function join(name: string) {
      const socket = officialSocket("ws://memory", { name }, { transport: WebSocket })
      const closed = new Promise<number>((resolve) => {
        socket.onClose(({ code }: { code: number }) => {
          socket.disconnect()
          resolve(code)
        })
      })
      const channel = socket.channel("rooms:1", {})
      const presence = new Presence(channel)
      const heard: unknown[] = []
      channel.on("shout", (payload: unknown) => heard.push(payload))
      await reply(channel.join())
      return {
        socket,
        channel,
        closed,
        heard,
        sees: (): string =>
          presence
            .list((key: string) => key)
            .sort()
            .join(" "),
      }
    }
    return { server, join }
  }

  async function twoNodes() {
    const bus = new LocalBus()
    // The drain has a time of its own, so that what is seen between two batches does not depend on how soon it is.
    const [timers, others] = [clock(), clock()]
    const tracker = { timers: others }
    const one = node(bus.join(), { timers, tracker, drainBatch: 1, drainIntervalMs: 100 })
    const two = node(bus.join(), { tracker })
    const [ada, bob, cy] = [await one.join("ada"), await one.join("bob"), await one.join("cy")]
    const dan = await two.join("dan")
    const meet = (all: string, ...members: { sees(): string }[]): Promise<void> =>
      until(() => {
        others.advance(10)
        return members.every((member) => member.sees() === all)
      })
    await meet("ada bob cy dan", ada, bob, cy, dan)
    return { one, two, ada, bob, cy, dan, timers, meet }
  }

  it("has the other nodes see all of its people leave at once, while most of them are still connected", async () => {
    const { one, ada, bob, cy, dan, timers } = await twoNodes()
    const closed = one.server.close()
    // No time passes: it is no silence that is noticed.
    await until(() => dan.sees() === "dan")
    expect(await ada.closed).toBe(1012)
    expect([bob.socket.isConnected(), cy.socket.isConnected()]).toEqual([true, true])
    timers.advance(200)
    await closed
  })

  it("shows those who are still here how the others go, and come back elsewhere, and lets them talk to all", async () => {
    const { one, two, ada, bob, cy, dan, timers, meet } = await twoNodes()
    const closed = one.server.close()
    await ada.closed
    await until(() => bob.sees() === "bob cy dan")
    const again = await two.join("ada")
    await meet("ada bob cy dan", bob, cy)
    await meet("ada dan", again, dan)
    bob.channel.push("shout", { n: 1 })
    await until(() => [bob, cy, dan, again].every(({ heard }) => heard.length === 1))
    timers.advance(100)
    expect(await bob.closed).toBe(1012)
    await until(() => cy.sees() === "ada cy dan")
    timers.advance(100)
    expect(await cy.closed).toBe(1012)
    await closed
    expect([dan.sees(), again.sees()]).toEqual(["ada dan", "ada dan"])
  })
})
