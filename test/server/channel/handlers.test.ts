import { assert, describe, expect, it } from "vitest"
import type { Channel, ChannelHandlers, LeftReason, Reply } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { error, ok, serve } from "../../support/serve.ts"

const crash = (topic: string): unknown => [topic, topic, topic, "phx_error", { reason: "channel_crash" }]
const close = (topic: string): unknown => [topic, topic, topic, "phx_close", {}]

const shouted = (payload: unknown): unknown => [null, null, "rooms:1", "shout", payload]

const hanging: ChannelHandlers["join"] = (topic) => (topic === "rooms:slow" ? new Promise(() => undefined) : { ok: {} })

// oxlint-disable-next-line unicorn/no-thenable
const thenable = () => ({ then: (resolve: (answer: unknown) => void) => resolve({ ok: { late: 1 } }) })

/** A server with one kind of room, whose handlers are the test's. */
function rooms(handlers: Partial<ChannelHandlers>, options = {}) {
  return serve((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] }) })
    server.channel("rooms:*", { join: () => ({ ok: {} }), ...handlers })
  }, options)
}

describe("a join", () => {
  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no")
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["returns undefined", () => undefined],
    ["returns a string", () => "ok"],
    ["returns a value that is not JSON", () => ({ ok: { big: 1n } })],
  ])("that %s is refused with join crashed (P10)", async (_what, join) => {
    const { client, counted } = await rooms({ join: join as ChannelHandlers["join"] })
    const one = await client()
    expect(await one.join("rooms:1")).toEqual(error({ reason: "join crashed" }))
    expect(counted.get("join_crashes")).toBe(1)
  })

  it("that never returns is refused after handlerTimeoutMs, and the messages behind it are handled", async () => {
    const timers = clock()
    const { client } = await rooms({ join: hanging }, { timers, handlerTimeoutMs: 5_000 })
    const one = await client()
    one.push("rooms:slow", "phx_join")
    one.push("rooms:2", "phx_join")
    expect(await one.rest()).toEqual([])
    timers.advance(5_000)
    expect(((await one.next()) as unknown[])[4]).toEqual(error({ reason: "join crashed" }))
    expect(((await one.next()) as unknown[])[4]).toEqual(ok())
  })

  it("may return a thenable of a library instead of a native promise", async () => {
    const { client } = await rooms({ join: thenable as unknown as ChannelHandlers["join"] })
    expect(await (await client()).join("rooms:1")).toEqual(ok({ late: 1 }))
  })

  it("is dropped when its connection breaks before the answer: neither joined nor left runs", async () => {
    const asked = new Inbox<(answer: { ok: unknown }) => void>("joins")
    const left: unknown[] = []
    const { client, server, reached } = await rooms({
      join: () => new Promise((resolve) => asked.put(resolve)),
      joined: () => void left.push("joined"),
      left: (_channel, reason) => void left.push(reason),
    })
    const one = await client()
    one.push("rooms:1", "phx_join")
    const answer = await asked.next()
    one.socket.reset()
    await reached("disconnects", 1)
    const two = await client()
    answer({ ok: {} })
    await two.socket.settled()
    expect(left).toEqual([])
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual([])
  })

  it("of a joined topic ends the old channel; its phx_close comes after the answer to the new join (P12)", async () => {
    const left = new Inbox<LeftReason>("left")
    const { client } = await rooms({ left: (_channel, reason) => left.put(reason), on: { echo: () => ({ ok: 1 }) } })
    const one = await client()
    await one.join("rooms:1")
    one.socket.send('["new","new","rooms:1","phx_join",{}]')
    expect(await one.next()).toEqual(["new", "new", "rooms:1", "phx_reply", ok()])
    expect(await one.next()).toEqual(close("rooms:1"))
    expect(await left.next()).toBe("rejoined")
    one.socket.send('["new","2","rooms:1","echo",{}]')
    expect(await one.next()).toEqual(["new", "2", "rooms:1", "phx_reply", ok(1)])
  })
})

describe("a handler", () => {
  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no")
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["returns a string", () => "ok"],
    ["returns a number", () => 5],
    ["returns an object that is not a reply", () => ({ fine: true })],
    ["returns a value that is not JSON", () => ({ ok: { big: 1n } })],
    [
      "returns an object that throws when it is read",
      () => new Proxy({}, { get: () => assert.fail("a handler's own object") }),
    ],
  ])("that %s crashes its channel, and no other (P15)", async (_what, handler) => {
    const { client, counted } = await rooms({
      on: { bad: handler as () => Reply, echo: (payload) => ({ ok: payload }) },
    })
    const one = await client()
    for (const topic of ["rooms:1", "rooms:2"]) await one.join(topic)
    one.push("rooms:1", "bad")
    expect(await one.next()).toEqual(crash("rooms:1"))
    expect(await one.ask("rooms:1", "echo")).toEqual(error({ reason: "unmatched topic" }))
    expect(await one.ask("rooms:2", "echo", 7)).toEqual(ok(7))
    expect(counted.get("channel_crashes")).toBe(1)
  })

  it("that never returns crashes its channel after handlerTimeoutMs", async () => {
    const timers = clock()
    const { client } = await rooms(
      { on: { slow: () => new Promise(() => undefined) } },
      { timers, handlerTimeoutMs: 5_000 },
    )
    const one = await client()
    await one.join("rooms:1")
    one.push("rooms:1", "slow")
    expect(await one.rest()).toEqual([])
    timers.advance(5_000)
    expect(await one.next()).toEqual(crash("rooms:1"))
  })

  it("is awaited before the next message of its channel is handled; other channels do not wait", async () => {
    const asked = new Inbox<(reply: Reply) => void>("questions")
    const { client } = await rooms({
      on: { ask: () => new Promise<Reply>((resolve) => asked.put(resolve)), echo: (payload) => ({ ok: payload }) },
    })
    const one = await client()
    for (const topic of ["rooms:1", "rooms:2"]) await one.join(topic)
    const first = one.push("rooms:1", "ask")
    const second = one.push("rooms:1", "echo", 2)
    expect(await one.ask("rooms:2", "echo", "other")).toEqual(ok("other"))
    const answer = await asked.next()
    answer({ ok: 1 })
    expect(await one.next()).toEqual(["rooms:1", first, "rooms:1", "phx_reply", ok(1)])
    expect(await one.next()).toEqual(["rooms:1", second, "rooms:1", "phx_reply", ok(2)])
  })

  it("may reply later, by replyTo, after replies to later messages (P16)", async () => {
    const later = new Inbox<(reply: Reply) => void>("replies to come")
    const { client } = await rooms({
      on: { late: (_payload, channel) => later.put(channel.replyTo()), echo: (payload) => ({ ok: payload }) },
    })
    const one = await client()
    await one.join("rooms:1")
    const ref = one.push("rooms:1", "late")
    const reply = await later.next()
    expect(await one.ask("rooms:1", "echo", 1)).toEqual(ok(1))
    reply({ status: "accepted" })
    expect(await one.next()).toEqual(["rooms:1", ref, "rooms:1", "phx_reply", { response: {}, status: "accepted" }])
  })

  it("gets no_message from replyTo when it handles no message", async () => {
    const codes = new Inbox<unknown>("error codes of replyTo")
    const { client } = await rooms({
      joined(channel) {
        try {
          channel.replyTo()
        } catch (thrown) {
          codes.put((thrown as { code?: string }).code)
        }
      },
    })
    await (await client()).join("rooms:1")
    expect(await codes.next()).toBe("no_message")
  })

  it("that stops its channel: its reply is sent first, then phx_close (P15)", async () => {
    const left = new Inbox<LeftReason>("left")
    const { client } = await rooms({
      left: (_channel, reason) => left.put(reason),
      on: {
        stop(_payload, channel) {
          channel.stop()
          return { ok: "bye" }
        },
      },
    })
    const one = await client()
    await one.join("rooms:1")
    expect(await one.ask("rooms:1", "stop")).toEqual(ok("bye"))
    expect(await one.next()).toEqual(close("rooms:1"))
    expect(await left.next()).toBe("stopped")
  })

  it("for `left` that fails is logged, and affects no other channel", async () => {
    const { client, logged } = await rooms({
      left: () => Promise.reject(new Error("no")),
      on: { shout: (payload, channel) => channel.broadcast("shout", payload), echo: (payload) => ({ ok: payload }) },
    })
    const [one, two] = [await client(), await client()]
    for (const each of [one, two]) await each.join("rooms:1")
    one.push("rooms:1", "phx_leave")
    expect([await one.next(), await one.next()]).toHaveLength(2)
    expect(await two.ask("rooms:1", "echo", 1)).toEqual(ok(1))
    expect(logged.map(({ message }) => message)).toEqual(["a left handler failed"])
  })
})

describe("a channel", () => {
  it("has its own copy of the assigns that connect returned", async () => {
    const { client } = await rooms({
      on: {
        rename(payload: unknown, channel) {
          channel.assigns["name"] = payload
          return { ok: channel.assigns["name"] }
        },
        name: (_payload, channel) => ({ ok: channel.assigns["name"] }),
      },
    })
    const one = await client("name=ada")
    for (const topic of ["rooms:1", "rooms:2"]) await one.join(topic)
    expect(await one.ask("rooms:1", "rename", "eve")).toEqual(ok("eve"))
    expect(await one.ask("rooms:2", "name")).toEqual(ok("ada"))
  })

  it.each<[LeftReason, string, (one: Awaited<ReturnType<Awaited<ReturnType<typeof rooms>>["client"]>>) => void]>([
    ["left", "by phx_leave", (one) => one.push("rooms:1", "phx_leave")],
    ["closed", "by a close", (one) => one.socket.close(1000)],
    ["closed", "by a broken connection", (one) => one.socket.reset()],
    ["crashed", "by a crash", (one) => one.push("rooms:1", "nothing such")],
    ["stopped", "by its server", (one) => one.push("rooms:1", "stop")],
  ])("passes the reason to left: %s, %s", async (reason, _how, end) => {
    const left = new Inbox<unknown>("left")
    const { client, server } = await rooms({
      joined: (channel) => void server.presence.track(channel, "ada"),
      left: (channel, why) => left.put([why, Object.keys(server.presence.list(channel.topic))]),
      on: { stop: (_payload, channel) => channel.stop() },
    })
    const one = await client()
    await one.join("rooms:1")
    await one.socket.settled()
    end(one)
    // Its presences are removed by then.
    expect(await left.next()).toEqual([reason, []])
  })

  it("sends nothing after it has ended, and throws not_joined before its join is answered", async () => {
    const channels = new Inbox<Channel>("channels")
    const { client } = await rooms({
      join(_topic, _params, channel) {
        expect(() => channel.push("early")).toThrowError(expect.objectContaining({ code: "not_joined" }))
        channels.put(channel)
        return { ok: {} }
      },
    })
    const one = await client()
    await one.join("rooms:1")
    const channel = await channels.next()
    one.push("rooms:1", "phx_leave")
    expect([await one.next(), await one.next()]).toHaveLength(2)
    channel.push("late")
    channel.broadcast("late")
    expect(await one.rest()).toEqual([])
  })
})

describe("a broadcast (P17)", () => {
  const shouting = {
    shout: (payload: unknown, channel: Channel) => channel.broadcast("shout", payload),
    shout_from: (payload: unknown, channel: Channel) => channel.broadcastFrom("shout", payload),
  }

  it("reaches all clients of the topic, the sender included; broadcastFrom all but the sender", async () => {
    const { client } = await rooms({ on: shouting })
    const [one, two, away] = [await client(), await client(), await client()]
    for (const each of [one, two]) await each.join("rooms:1")
    await away.join("rooms:2")
    one.push("rooms:1", "shout", { n: 1 })
    one.push("rooms:1", "shout_from", { n: 2 })
    expect(await one.rest()).toEqual([shouted({ n: 1 })])
    expect(await two.rest()).toEqual([shouted({ n: 1 }), shouted({ n: 2 })])
    expect(await away.rest()).toEqual([])
  })

  it("from the server reaches every client of the topic, and throws TypeError when it is not JSON", async () => {
    const { client, server } = await rooms({})
    const one = await client()
    await one.join("rooms:1")
    server.broadcast("rooms:1", "news", { n: 1 })
    expect(await one.next()).toEqual([null, null, "rooms:1", "news", { n: 1 }])
    expect(() => server.broadcast("rooms:1", "news", { n: 1n })).toThrow(TypeError)
    expect(await one.rest()).toEqual([])
  })

  it("is handled by an out handler, which decides what its client gets", async () => {
    const { client } = await rooms({
      on: shouting,
      out: {
        shout(payload, channel) {
          if (payload !== channel.assigns["name"]) channel.push("shout", { changed: payload })
        },
      },
    })
    const [ada, bob] = [await client("name=ada"), await client("name=bob")]
    for (const each of [ada, bob]) await each.join("rooms:1")
    ada.push("rooms:1", "shout", "bob")
    expect(await ada.next()).toEqual(["rooms:1", null, "rooms:1", "shout", { changed: "bob" }])
    expect(await bob.rest()).toEqual([])
  })

  it("crashes the channel whose out handler throws, and reaches the others", async () => {
    const { client } = await rooms({
      on: shouting,
      out: {
        shout(payload, channel) {
          if (channel.assigns["name"] === "ada") throw new Error("no")
          channel.push("shout", payload)
        },
      },
    })
    const [ada, bob] = [await client("name=ada"), await client("name=bob")]
    for (const each of [ada, bob]) await each.join("rooms:1")
    bob.push("rooms:1", "shout", { n: 1 })
    expect(await ada.next()).toEqual(crash("rooms:1"))
    expect(await bob.next()).toEqual(["rooms:1", null, "rooms:1", "shout", { n: 1 }])
  })

  it("of bytes reaches version 2 as a binary frame; for version 1 it is counted as undeliverable", async () => {
    const { client, counted } = await rooms({ on: shouting })
    const [one, old] = [await client(), await client("vsn=1.0.0")]
    await one.join("rooms:1")
    old.socket.send('{"topic":"rooms:1","event":"phx_join","payload":{},"ref":"1"}')
    await old.next()
    one.socket.send(
      Buffer.concat([Buffer.from([0, 7, 1, 7, 5]), Buffer.from("rooms:19rooms:1shout"), Buffer.from([1, 2])]),
    )
    expect(await one.next()).toEqual(
      Buffer.concat([Buffer.from([2, 7, 5]), Buffer.from("rooms:1shout"), Buffer.from([1, 2])]),
    )
    expect(await old.rest()).toEqual([])
    expect(counted.get("undeliverable")).toBe(1)
    one.push("rooms:1", "shout", { n: 1 })
    expect(await old.next()).toEqual({ topic: "rooms:1", event: "shout", payload: { n: 1 }, ref: null })
  })
})
