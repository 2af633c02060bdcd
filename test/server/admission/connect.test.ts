import { describe, expect, it } from "vitest"
import type { Handshake, SocketHandlers } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { ok, serve } from "../../support/serve.ts"

/** A server whose one socket has these handlers, with a room that tells its assigns. */
function mounted(handlers: SocketHandlers, options = {}) {
  return serve((server) => {
    server.socket("/socket", handlers)
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      on: { who: (_payload, channel) => ({ ok: channel.assigns }) },
    })
  }, options)
}

const refused = (status: number): unknown => ({ event: "http-refused", status, body: "" })

describe("connect (P2)", () => {
  it.each<[string, SocketHandlers["connect"]]>([
    ["returns assigns", () => ({ name: "ada" })],
    ["returns assigns later", async () => ({ name: "ada" })],
  ])("lets in when it %s", async (_what, connect) => {
    const { client } = await mounted({ ...(connect && { connect }) })
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
  ])("refuses with 403 when it %s", async (_what, connect) => {
    const { client, counted } = await mounted({ connect: connect as () => false })
    expect((await client()).beginning).toEqual(refused(403))
    expect(counted.get("refused_connects")).toBe(1)
    expect(counted.get("connects")).toBeUndefined()
  })

  it("is answered with 503 when it hangs, after handshakeTimeoutMs, and its signal is aborted", async () => {
    const timers = clock()
    const asked = new Inbox<Handshake>("handshakes")
    const { client, counted } = await mounted(
      { connect: (handshake) => (asked.put(handshake), new Promise(() => undefined)) },
      { timers, handshakeTimeoutMs: 5_000 },
    )
    const connecting = client()
    const { signal } = await asked.next()
    expect(signal.aborted).toBe(false)
    timers.advance(5_000)
    expect((await connecting).beginning).toEqual(refused(503))
    expect(signal.aborted).toBe(true)
    expect(counted.get("connects")).toBeUndefined()
  })

  it.each([["9.0.0"], ["2.1.0"], ["2.0"], ["x"], [""]])("is not asked about version %j (P1)", async (vsn) => {
    const asked: unknown[] = []
    const { client } = await mounted({ connect: (handshake) => (asked.push(handshake), {}) })
    expect((await client(`vsn=${vsn}`)).beginning).toEqual(refused(403))
    expect(asked).toEqual([])
  })

  it("is not asked about a page of a foreign origin, and is about one of its own host (P3)", async () => {
    const asked: unknown[] = []
    const { client } = await mounted({ connect: (handshake) => (asked.push(handshake), {}) })
    expect((await client("", { Origin: "http://evil.example" })).beginning).toEqual(refused(403))
    expect(asked).toEqual([])
    expect((await client("", { Origin: "http://127.0.0.1" })).beginning).toEqual({ event: "open" })
  })
})

describe("an id (P18)", () => {
  const byName: SocketHandlers = {
    connect: ({ params }) => ({ name: params["name"] }),
    id: ({ assigns }) => (assigns["name"] === undefined ? undefined : `user:${assigns["name"]}`),
  }

  it("lets the server end all connections of it with 1001, and no others", async () => {
    const { client, server } = await mounted(byName)
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

  it("that is no string refuses the connection (P2)", async () => {
    const { client } = await mounted({ id: () => 5 as unknown as string })
    expect((await client()).beginning).toEqual(refused(403))
  })

  it("that throws refuses the connection", async () => {
    const { client } = await mounted({
      id() {
        throw new Error("no")
      },
    })
    expect((await client()).beginning).toEqual(refused(403))
  })
})

describe("a mount", () => {
  it.each(["socket", "", "/"])("refuses the path %j when it is given", async (path) => {
    const { server } = await mounted({})
    expect(() => server.socket(path)).toThrowError(expect.objectContaining({ code: "config" }))
  })

  it("serves only the transports that it names", async () => {
    const { client, url } = await mounted({ transports: ["longpoll"] })
    expect((await client()).beginning).toEqual({ event: "http-refused", status: 404, body: "not found" })
    const poll = await fetch(`${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`)
    expect(await poll.json()).toMatchObject({ status: 410, messages: [] })
  })
})
