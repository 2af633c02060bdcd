import { describe, expect, it } from "vitest"
import type { ChannelHandlers, InitialPresence, Server } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

/** A server with one kind of room, whose handlers are the test's. */
function rooms(
  handlers: (server: Server<{ name: string }>) => Partial<ChannelHandlers<{ name: string }>>,
  options = {},
) {
  return serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", { join: () => ({ ok: {} }), ...handlers(server) })
  }, options)
}

/** Returns the events that a client has received, without replies. A state or a diff is listed with its keys. */
async function eventsOf(client: Client): Promise<unknown[]> {
  const frames = (await client.rest()) as [unknown, unknown, unknown, event: string, payload: Record<string, object>][]
  return frames.map(([, , , event, payload]) => {
    if (event === "presence_state") return [event, Object.keys(payload)]
    return event === "presence_diff" ? [event, Object.keys(payload["joins"] ?? {})] : event
  })
}

const crash = ["rooms:1", "rooms:1", "rooms:1", "phx_error", { reason: "channel_crash" }]

describe("a presence handler", () => {
  it("tracks its channel with key and meta, and pushes the state once", async () => {
    const { client, server } = await rooms(() => ({
      presence: (channel) => ({ key: channel.assigns.name, meta: { status: "here" } }),
    }))
    const ada = await client("name=ada")
    expect(await ada.join("rooms:1")).toEqual(ok())
    expect(await eventsOf(ada)).toEqual([["presence_state", ["ada"]]])
    expect(server.presence.get("rooms:1", "ada")?.metas).toMatchObject([{ status: "here" }])
    const bob = await client("name=bob")
    await bob.join("rooms:1")
    expect(await eventsOf(bob)).toEqual([["presence_state", ["ada", "bob"]]])
    expect(await eventsOf(ada)).toEqual([["presence_diff", ["bob"]]])
    ada.push("rooms:1", "phx_leave")
    await ada.rest()
    expect(server.presence.get("rooms:1", "ada")).toBeUndefined()
  })

  it("runs after the join's answer, and before joined, which finds the channel tracked; the state comes last", async () => {
    const { client } = await rooms(({ presence }) => ({
      presence: (channel) => {
        channel.push("from presence")
        return { key: channel.assigns.name }
      },
      joined: (channel) => channel.push("from joined", { keys: Object.keys(presence.list(channel.topic)) }),
    }))
    const ada = await client("name=ada")
    ada.push("rooms:1", "phx_join")
    const frames = (await ada.rest()) as unknown[][]
    expect(frames.map(([, , , event]) => event)).toEqual([
      "phx_reply",
      "from presence",
      "from joined",
      "presence_state",
    ])
    expect(frames[2]?.[4]).toEqual({ keys: ["ada"] })
  })

  it.each<[string, (server: Server<{ name: string }>) => ChannelHandlers<{ name: string }>["joined"]]>([
    [
      "the state",
      ({ presence }) =>
        (channel) =>
          channel.push("presence_state", presence.list(channel.topic)),
    ],
    ["a state of its own", () => (channel) => channel.push("presence_state", {})],
    [
      "the state after an await",
      ({ presence }) =>
        async (channel) => {
          await undefined
          channel.push("presence_state", presence.list(channel.topic))
        },
    ],
  ])("pushes no second state when joined pushes %s", async (_what, joined) => {
    const { client } = await rooms((server) => ({
      presence: (channel) => ({ key: channel.assigns.name }),
      joined: joined(server)!,
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    const states = (await eventsOf(ada)).filter((event) => Array.isArray(event) && event[0] === "presence_state")
    expect(states).toHaveLength(1)
  })

  it("still gets the state pushed when joined pushes it under another event", async () => {
    const { client } = await rooms(({ presence }) => ({
      presence: (channel) => ({ key: channel.assigns.name }),
      joined: (channel) => channel.push("users", presence.list(channel.topic)),
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    expect(await eventsOf(ada)).toEqual(["users", ["presence_state", ["ada"]]])
  })

  it("that returns undefined tracks nothing, but the state is pushed", async () => {
    const { client } = await rooms(() => ({
      presence: (channel) => (channel.assigns.name === "spy" ? undefined : { key: channel.assigns.name }),
    }))
    const [ada, spy] = [await client("name=ada"), await client("name=spy")]
    await ada.join("rooms:1")
    await ada.rest()
    await spy.join("rooms:1")
    expect(await eventsOf(spy)).toEqual([["presence_state", ["ada"]]])
    expect(await eventsOf(ada)).toEqual([])
  })

  it("may be async; the messages of its client wait for it", async () => {
    const asked = new Inbox<(presence: InitialPresence) => void>("presences")
    const { client } = await rooms(() => ({
      presence: () => new Promise<InitialPresence>((resolve) => asked.put(resolve)),
      on: { echo: () => ({ ok: {} }) },
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    ada.push("rooms:1", "echo")
    expect(await ada.rest()).toEqual([])
    ;(await asked.next())({ key: 7 })
    // The state waits for the diff with the join of this channel; a reply does not wait.
    expect(await eventsOf(ada)).toEqual(["phx_reply", ["presence_state", ["7"]]])
  })

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no")
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
    ["returns null", () => null],
    ["returns a string", () => "ada"],
    ["returns an object without a key", () => ({ meta: {} })],
    ["returns a key that is no string and no number", () => ({ key: null })],
    ["returns a meta that is no object", () => ({ key: "ada", meta: 5 })],
    ["resolves to nonsense", async () => ({ ok: {} })],
  ])("that %s crashes its channel, and joined does not run (P15)", async (_what, presence) => {
    const joined: unknown[] = []
    const { client, counted, server } = await rooms(() => ({
      presence: presence as () => InitialPresence,
      joined: (channel) => void joined.push(channel.topic),
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    expect(await ada.next()).toEqual(crash)
    expect([joined, counted.get("channel_crashes"), Object.keys(server.presence.list("rooms:1"))]).toEqual([[], 1, []])
  })

  it("may return a thenable of a library whose then returns nothing; the messages of its client wait for it", async () => {
    const asked = new Inbox<(presence: InitialPresence) => void>("thenables")
    // oxlint-disable-next-line unicorn/no-thenable
    const thenable = { then: (resolve: (presence: InitialPresence) => void) => asked.put(resolve) }
    const { client } = await rooms((server) => ({
      presence: () => thenable as unknown as Promise<InitialPresence>,
      on: { names: (_payload, channel) => ({ ok: Object.keys(server.presence.list(channel.topic)) }) },
    }))
    const ada = await client()
    await ada.join("rooms:1")
    const ref = ada.push("rooms:1", "names")
    expect(await ada.rest()).toEqual([])
    ;(await asked.next())({ key: "ada" })
    expect(await ada.rest()).toContainEqual(["rooms:1", ref, "rooms:1", "phx_reply", ok(["ada"])])
  })

  it("that takes longer than handlerTimeoutMs crashes its channel; what it returns then is not tracked", async () => {
    const timers = clock()
    const asked = new Inbox<(presence: InitialPresence) => void>("presences")
    const { client, server } = await rooms(
      () => ({ presence: () => new Promise<InitialPresence>((resolve) => asked.put(resolve)) }),
      { timers, handlerTimeoutMs: 5_000 },
    )
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    const answer = await asked.next()
    timers.advance(5_000)
    expect(await ada.next()).toEqual(crash)
    answer({ key: "ada" })
    await ada.rest()
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual([])
  })

  it("whose client disconnects meanwhile tracks nothing, and joined does not run, but left does", async () => {
    const asked = new Inbox<(presence: InitialPresence) => void>("presences")
    const calls = new Inbox<string>("calls")
    const { client, server, counted } = await rooms(() => ({
      presence: () => new Promise<InitialPresence>((resolve) => asked.put(resolve)),
      joined: () => calls.put("joined"),
      left: (_channel, reason) => calls.put(`left: ${reason}`),
    }))
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    const answer = await asked.next()
    ada.socket.reset()
    expect(await calls.next()).toBe("left: closed")
    answer({ key: "ada" })
    const bob = await client("name=bob")
    await bob.socket.settled()
    expect([Object.keys(server.presence.list("rooms:1")), calls.items]).toEqual([[], ["left: closed"]])
    expect(counted.get("channel_crashes")).toBeUndefined()
  })

  it("pushes the state after the pending diff, like a state that joined pushes", async () => {
    const timers = clock()
    const { client } = await rooms(() => ({ presence: (channel) => ({ key: channel.assigns.name }) }), {
      timers,
      presenceWindowMs: 100,
    })
    const [ada, bob] = [await client("name=ada"), await client("name=bob")]
    await ada.join("rooms:1")
    await bob.join("rooms:1")
    expect([await eventsOf(ada), await eventsOf(bob)]).toEqual([[], []])
    timers.advance(100)
    const state = [["presence_state", ["ada", "bob"]]]
    await expect.poll(async () => [...(await eventsOf(ada))]).toEqual(state)
    expect(await eventsOf(bob)).toEqual(state)
  })
})
