import { describe, expect, it } from "vitest"
import type { Handshake, SocketHandlers } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { ok, serve } from "../../support/serve.ts"

/** A server whose socket has these handlers. Its channels reply to `who` with the assigns of the connection. */
function serveSocket(handlers: SocketHandlers, options = {}) {
  return serve((server) => {
    server.socket("/socket", handlers)
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      on: { who: (_payload, channel) => ({ ok: channel.assigns }) },
    })
  }, options)
}

const refused = (status: number): unknown => ({ event: "http-refused", status, body: "" })

describe("the connect handler (P2)", () => {
  it.each<[string, SocketHandlers["connect"]]>([
    ["returns assigns", () => ({ name: "ada" })],
    ["returns a promise of assigns", async () => ({ name: "ada" })],
    [
      "returns a thenable of a library whose then returns nothing",
      () => {
        // oxlint-disable-next-line unicorn/no-thenable
        const thenable = { then: (resolve: (assigns: object) => void) => void setImmediate(resolve, { name: "ada" }) }
        return thenable
      },
    ],
  ])("accepts a client when it %s", async (_how, connect) => {
    const { client } = await serveSocket({ ...(connect && { connect }) })
    const one = await client()
    await one.join("rooms:1")
    expect(await one.ask("rooms:1", "who")).toEqual(ok({ name: "ada" }))
  })

  it.each<[string, () => unknown]>([
    ["returns false", () => false],
    ["returns an error", () => ({ error: { reason: "denied" } })],
    ["returns nothing", () => undefined],
    ["returns null", () => null],
    ["returns a string", () => "yes"],
    [
      "throws",
      () => {
        throw new Error("no")
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["resolves to false", async () => false],
  ])("refuses a client with 403 when it %s", async (_how, connect) => {
    const { client, counted } = await serveSocket({ connect: connect as () => false })
    expect((await client()).beginning).toEqual(refused(403))
    expect(counted.get("refused_connects")).toBe(1)
    expect(counted.get("connects")).toBeUndefined()
  })

  it("has its signal aborted after handshakeTimeoutMs without an answer, and the client gets 503", async () => {
    const timers = clock()
    const handshakes = new Inbox<Handshake>("handshakes")
    const { client, counted } = await serveSocket(
      { connect: (handshake) => (handshakes.put(handshake), new Promise(() => undefined)) },
      { timers, handshakeTimeoutMs: 5_000 },
    )
    const connecting = client()
    const { signal } = await handshakes.next()
    expect(signal.aborted).toBe(false)
    timers.advance(5_000)
    expect((await connecting).beginning).toEqual(refused(503))
    expect(signal.aborted).toBe(true)
    expect(counted.get("connects")).toBeUndefined()
  })

  it.each([["9.0.0"], ["2.1.0"], ["2.0"], ["x"], [""]])(
    "is not called for the unknown version %j, which is refused with 403 (P1)",
    async (vsn) => {
      const calls: unknown[] = []
      const { client } = await serveSocket({ connect: (handshake) => (calls.push(handshake), {}) })
      expect((await client(`vsn=${vsn}`)).beginning).toEqual(refused(403))
      expect(calls).toEqual([])
    },
  )

  it("is not called for a page of another host, which is refused with 403, but for one of its own (P3)", async () => {
    const calls: unknown[] = []
    const { client } = await serveSocket({ connect: (handshake) => (calls.push(handshake), {}) })
    expect((await client("", { Origin: "http://evil.example" })).beginning).toEqual(refused(403))
    expect(calls).toEqual([])
    expect((await client("", { Origin: "http://127.0.0.1" })).beginning).toEqual({ event: "open" })
    expect(calls).toHaveLength(1)
  })
})

describe("a disconnect id (P18)", () => {
  const byName: SocketHandlers = {
    connect: ({ params }) => ({ name: params["name"] }),
    id: ({ assigns }) => (assigns["name"] === undefined ? undefined : `user:${assigns["name"]}`),
  }

  it("lets server.disconnect close all connections with it with 1001, and no others", async () => {
    const { client, server } = await serveSocket(byName)
    const [one, two, other, nameless] = [
      await client("name=ada"),
      await client("name=ada"),
      await client("name=bob"),
      await client(),
    ]
    await other.join("rooms:1")
    server.disconnect("user:ada")
    server.disconnect("user:nobody")
    for (const each of [one, two]) expect(await each.next()).toEqual({ event: "close", code: 1001, reason: "" })
    expect(await other.ask("rooms:1", "who")).toEqual(ok({ name: "bob" }))
    expect(await nameless.rest()).toEqual([])
  })

  it("that is not a string refuses the connection with 403 (P2)", async () => {
    const { client } = await serveSocket({ id: () => 5 as unknown as string })
    expect((await client()).beginning).toEqual(refused(403))
  })

  it("whose handler throws refuses the connection with 403", async () => {
    const { client } = await serveSocket({
      id() {
        throw new Error("no")
      },
    })
    expect((await client()).beginning).toEqual(refused(403))
  })
})

describe("server.socket", () => {
  it.each(["socket", "", "/"])("throws a ConfigError for the path %j", async (path) => {
    const { server } = await serveSocket({})
    expect(() => server.socket(path)).toThrowError(expect.objectContaining({ code: "config" }))
  })

  it("serves only the transports that its option names", async () => {
    const { client, url } = await serveSocket({ transports: ["longpoll"] })
    expect((await client()).beginning).toEqual({ event: "http-refused", status: 404, body: "not found" })
    const poll = await fetch(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    expect(await poll.json()).toMatchObject({ status: 410, messages: [] })
  })
})
