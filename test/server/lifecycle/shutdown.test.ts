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

const closedWith = (code: number): unknown => ({ event: "close", code, reason: "" })
const quiet = { warn: () => undefined, error: () => undefined }

function room(server: Server): void {
  server.socket("/socket")
  server.channel("rooms:*", { join: () => ({ ok: {} }) })
}

/** Returns the value of a promise that has settled by now, otherwise "pending". */
const valueOrPending = (promise: Promise<unknown>): Promise<unknown> =>
  Promise.race([promise, new Promise((resolve) => setImmediate(resolve, "pending"))])

/** Advances the clock second by second until a promise settles. */
async function advanceUntil(timers: Clock, pending: Promise<unknown>): Promise<void> {
  let done = false
  void pending.then(() => (done = true))
  await until(() => (timers.advance(1_000), done))
}

describe("server.close (P18)", () => {
  it("closes every connection with 1012, joined to a channel or not", async () => {
    const { server, client } = await serve(room)
    const [one, idle] = [await client(), await client()]
    await one.join("rooms:1")
    await server.close()
    for (const each of [one, idle]) expect(await each.next()).toEqual(closedWith(1012))
  })

  it("sends the presence changes that are still being collected, and leaves no timer", async () => {
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

  it("closes connections in batches, and goes on serving the ones that are left", async () => {
    const timers = clock()
    const { server, client } = await serve(room, { timers, drainBatch: 2, drainIntervalMs: 100 })
    const clients = [await client(), await client(), await client(), await client(), await client()]
    for (const each of clients) await each.join("rooms:1")
    const closed = server.close()
    for (const each of clients.slice(0, 2)) expect(await each.next()).toEqual(closedWith(1012))
    server.broadcast("rooms:1", "news")
    for (const each of clients.slice(2)) expect(await each.next()).toEqual([null, null, "rooms:1", "news", {}])
    expect(await clients[4]?.join("rooms:2")).toEqual(ok())
    timers.advance(100)
    for (const each of clients.slice(2, 4)) expect(await each.next()).toEqual(closedWith(1012))
    expect(await clients[4]?.rest()).toEqual([])
    expect(await valueOrPending(closed)).toBe("pending")
    timers.advance(100)
    expect(await clients[4]?.next()).toEqual(closedWith(1012))
    await closed
  })

  it("closes its port for new connections first", async () => {
    const timers = clock()
    const { server, client, url } = await serve(room, { timers, drainBatch: 1, drainIntervalMs: 100 })
    const [first, second] = [await client(), await client()]
    const closed = server.close()
    expect(await first.next()).toEqual(closedWith(1012))
    const late = connect(Number(new URL(url).port), "127.0.0.1")
    const [error] = (await once(late, "error")) as [NodeJS.ErrnoException]
    expect(error.code).toBe("ECONNREFUSED")
    timers.advance(100)
    expect(await second.next()).toEqual(closedWith(1012))
    await closed
  })

  it("answers new clients on an attached HTTP server with 503, and detaches from it at the end", async () => {
    const timers = clock()
    const http = createHttpServer((_request, response) => response.end("page"))
    const server = createServer({ timers, drainBatch: 1, drainIntervalMs: 100, logger: quiet })
    room(server)
    await server.attach(http)
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void http.close())
    const { port } = http.address() as AddressInfo
    const newClient = async (): Promise<Client> => {
      const client = new Client(new WireSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`))
      await client.socket.inbox.next()
      return client
    }
    const [first, second] = [await newClient(), await newClient()]
    const closed = server.close()
    expect(await first.next()).toEqual(closedWith(1012))
    expect((await newClient()).beginning).toMatchObject({ event: "http-refused", status: 503 })
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("page")
    timers.advance(100)
    expect(await second.next()).toEqual(closedWith(1012))
    await closed
    // The HTTP server is as it was: without an upgrade listener, Node takes an upgrade for a plain request.
    expect((await newClient()).beginning).toMatchObject({ event: "http-refused", status: 200 })
    expect(http.listenerCount("upgrade")).toBe(0)
  })

  it("answers clients whose connect is pending with 503 at once, and does not wait for it", async () => {
    let calls = 0
    const { server, url } = await serve((server) => {
      server.socket("/socket", { connect: () => ((calls += 1), new Promise(() => undefined)) })
    })
    const waiting = new WireSocket(`${url}/socket/websocket?vsn=2.0.0`)
    const polling = fetch(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    await until(() => calls === 2)
    await server.close()
    expect(await waiting.inbox.next()).toMatchObject({ event: "http-refused", status: 503 })
    expect(await (await polling).json()).toEqual({ status: 500 })
  })

  it("answers a pending long poll before it resolves", async () => {
    const { server, url, reached } = await serve(room)
    const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
    const { token } = (await (await fetch(address)).json()) as { token: string }
    const poll = fetch(`${address}&token=${token}`)
    await fetch(`${address}&token=${token}`, { method: "POST", body: '["1","1","rooms:1","phx_join",{}]' })
    expect(await (await poll).json()).toMatchObject({ status: 200 })
    const waiting = fetch(`${address}&token=${token}`)
    await reached("polls", 2)
    await server.close()
    expect(await (await waiting).json()).toEqual({ status: 204, messages: [], token })
  })

  it("does not wait for ever for a client that does not answer its close frame, nor for one that does not read", async () => {
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
    await advanceUntil(timers, server.close())
  })

  it("returns the same promise at every call, also in a handler that it calls, and the server accepts no client after it", async () => {
    const calls: Promise<void>[] = []
    const { server, client } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }), left: () => void calls.push(server.close()) })
    })
    await (await client()).join("rooms:1")
    const closing = server.close()
    calls.push(server.close())
    await closing
    expect(calls).toEqual([closing, closing])
    for (const call of calls) expect(call).toBe(closing)
    const url = new URL("http://localhost/socket/websocket")
    const request = { path: "/socket", params: {}, headers: {}, address: "", url, signal: new AbortController().signal }
    expect(await server.endpoint.admit(request)).toMatchObject({ ok: false, status: 503 })
  })

  it.each([
    ["until they have finished", 1_000, []],
    ["but not for longer than five seconds", Infinity, ["the server closes without waiting any longer"]],
  ])("waits for left handlers, %s", async (_how, ms, warnings) => {
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
    expect(await valueOrPending(closed)).toBe("pending")
    await advanceUntil(timers, closed)
    expect(logged.map(({ message }) => message)).toEqual(warnings)
  })
})

describe("a server on which close was called", () => {
  const refused = { name: "RollcallError", code: "closed", message: expect.stringContaining("close() was called") }

  /** Returns the HTTP servers that listen from now on, as a list that grows; `onListen` is called for each. */
  function watchPorts(onListen: () => unknown = () => undefined): NetServer[] {
    const opened: NetServer[] = []
    const { listen } = NetServer.prototype
    const spy = vi.spyOn(NetServer.prototype, "listen").mockImplementation(function (this: NetServer, ...rest: any) {
      opened.push(this)
      onListen()
      return listen.apply(this, rest)
    })
    onTestFinished(() => spy.mockRestore())
    return opened
  }

  it.each(["while it closes", "when it has closed"])(
    "rejects listen and attach, and opens nothing, %s",
    async (when) => {
      const opened = watchPorts()
      const server = createServer()
      const http = createHttpServer()
      const closed = server.close()
      if (when === "when it has closed") await closed
      await expect(server.listen({ port: 0, host: "127.0.0.1" })).rejects.toMatchObject(refused)
      await expect(server.listen({ port: 0, workers: 2 })).rejects.toMatchObject(refused)
      await expect(server.attach(http)).rejects.toMatchObject(refused)
      expect([opened, http.listenerCount("upgrade"), server.role]).toEqual([[], 0, "single"])
    },
  )

  it("rejects a listen and an attach that have not opened anything yet", async () => {
    const opened = watchPorts()
    const server = createServer()
    const http = createHttpServer()
    const calls = [server.listen({ port: 0, host: "127.0.0.1" }), server.attach(http)]
    const closed = server.close()
    for (const each of calls) await expect(each).rejects.toMatchObject(refused)
    await closed
    expect([opened, http.listenerCount("upgrade")]).toEqual([[], 0])
  })

  it.each([
    ["port", 1],
    ["operations' port", 2],
  ])("closes what it is opening at that moment: its %s", async (_name, last) => {
    const server = createServer()
    let closed: Promise<void> | undefined
    const opened: NetServer[] = watchPorts(() => opened.length === last && (closed = server.close()))
    await expect(server.listen({ port: 0, host: "127.0.0.1", operations: 0 })).rejects.toMatchObject(refused)
    await closed
    expect(opened.map(({ listening }) => listening)).toEqual(Array(last).fill(false))
  })
})

describe("closing one node of a cluster", () => {
  afterEach(disconnectAll)

  /** A node, and a way to join users to it, whose clients do not reconnect by themselves. */
  function newNode(pubsub: PubSub, options: ServerOptions) {
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
      const shouts: unknown[] = []
      channel.on("shout", (payload: unknown) => shouts.push(payload))
      await reply(channel.join())
      return {
        socket,
        channel,
        closed,
        shouts,
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
    // The drain has a clock of its own: between two batches, a test may wait as long as it needs.
    const [timers, trackerTimers] = [clock(), clock()]
    const tracker = { timers: trackerTimers }
    const one = newNode(bus.join(), { timers, tracker, drainBatch: 1, drainIntervalMs: 100 })
    const two = newNode(bus.join(), { tracker })
    const [ada, bob, cy] = [await one.join("ada"), await one.join("bob"), await one.join("cy")]
    const dan = await two.join("dan")
    const allSee = (all: string, ...members: { sees(): string }[]): Promise<void> =>
      until(() => {
        trackerTimers.advance(10)
        return members.every((member) => member.sees() === all)
      })
    await allSee("ada bob cy dan", ada, bob, cy, dan)
    return { one, two, ada, bob, cy, dan, timers, allSee }
  }

  it("makes the other nodes see all of its users leave at once, while most of them are still connected", async () => {
    const { one, ada, bob, cy, dan, timers } = await twoNodes()
    const closed = one.server.close()
    // No time passes, so that this is not the timeout of a silent node.
    await until(() => dan.sees() === "dan")
    expect(await ada.closed).toBe(1012)
    expect([bob.socket.isConnected(), cy.socket.isConnected()]).toEqual([true, true])
    timers.advance(200)
    await closed
  })

  it("shows its remaining users how the others leave and return on another node, and delivers their broadcasts to all", async () => {
    const { one, two, ada, bob, cy, dan, timers, allSee } = await twoNodes()
    const closed = one.server.close()
    await ada.closed
    await until(() => bob.sees() === "bob cy dan")
    const returned = await two.join("ada")
    await allSee("ada bob cy dan", bob, cy)
    await allSee("ada dan", returned, dan)
    bob.channel.push("shout", { n: 1 })
    await until(() => [bob, cy, dan, returned].every(({ shouts }) => shouts.length === 1))
    timers.advance(100)
    expect(await bob.closed).toBe(1012)
    await until(() => cy.sees() === "ada cy dan")
    timers.advance(100)
    expect(await cy.closed).toBe(1012)
    await closed
    expect([dan.sees(), returned.sees()]).toEqual(["ada dan", "ada dan"])
  })
})
