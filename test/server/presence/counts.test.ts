import { describe, expect, it } from "vitest"
import type { ChannelHandlers, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

const INTRODUCED = "client=rollcall/1&"

async function counted(options: ServerOptions = {}, handlers: Partial<ChannelHandlers> = {}) {
  const timers = clock()
  const served = await serve(
    (server) => {
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"], meta: params["meta"] ?? "{}" }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        presence: ({ assigns }) => ({
          key: String(assigns["name"]),
          meta: JSON.parse(String(assigns["meta"])) as object,
        }),
        ...handlers,
        on: { echo: (payload) => ({ ok: payload }), ...handlers.on },
      })
    },
    { timers, presenceWindowMs: 50, ...options },
  )
  /** @param count the param of the join; "none" for a join without it */
  const enter = async (name: string, count: unknown = true, meta: object = {}, query = INTRODUCED): Promise<Client> => {
    const client = await served.client(`${query}name=${name}&meta=${encodeURIComponent(JSON.stringify(meta))}`)
    await client.join("rooms:1", count === "none" ? {} : { presence_count: count })
    await client.socket.settled()
    return client
  }
  return { ...served, presence: served.server.presence, timers, enter }
}

type Frame = [joinRef: unknown, ref: unknown, topic: string, event: string, payload: unknown]

/** Returns the events of frames about presence, with the payloads of counts. */
const seen = async (client: Client): Promise<unknown[]> =>
  ((await client.rest()) as Frame[])
    .filter(([, , , event]) => event.startsWith("presence_") && event !== "presence_self")
    .map(([, , , event, payload]) => (event === "presence_count" ? payload : event))

describe("a client that asks for a count", () => {
  it("gets it after its join, and a new one at the end of each window in which it changed, but no state and no diff", async () => {
    const { enter, timers } = await counted()
    const ada = await enter("ada")
    expect(await seen(ada)).toEqual([{ total: 1 }])
    await enter("bob")
    await enter("carol")
    expect(await seen(ada)).toEqual([])
    timers.advance(50)
    expect(await seen(ada)).toEqual([{ total: 3 }])
    timers.advance(500)
    expect(await seen(ada)).toEqual([])
  })

  it("gets none when as many have left as have joined", async () => {
    const { enter, timers } = await counted()
    const ada = await enter("ada")
    const bob = await enter("bob")
    timers.advance(50)
    await seen(ada)
    bob.push("rooms:1", "phx_leave")
    await bob.socket.settled()
    await enter("carol")
    timers.advance(50)
    expect(await seen(ada)).toEqual([])
  })

  it("leaves states and diffs to the other clients of the topic", async () => {
    const { enter, timers } = await counted()
    const ada = await enter("ada", "none")
    await enter("bob")
    timers.advance(50)
    expect(await seen(ada)).toEqual(["presence_state"])
    await enter("carol")
    timers.advance(50)
    expect(await seen(ada)).toEqual(["presence_diff"])
  })

  it("counts users, not devices", async () => {
    const { enter, timers } = await counted()
    const ada = await enter("ada")
    await enter("ada", "none")
    timers.advance(50)
    expect(await seen(ada)).toEqual([{ total: 1 }])
  })

  it("gets no further count after it has left", async () => {
    const { enter, timers } = await counted()
    const ada = await enter("ada")
    ada.push("rooms:1", "phx_leave")
    await enter("bob")
    timers.advance(50)
    expect(await seen(ada)).toEqual([{ total: 1 }])
  })

  it("gets the count also with one diff for each change, and while no window is set", async () => {
    for (const presenceWindowMs of [false, 0] as const) {
      const { enter } = await counted({ presenceWindowMs })
      const ada = await enter("ada")
      await enter("bob")
      expect((await seen(ada)).at(-1)).toEqual({ total: 2 })
    }
  })

  it("gets the state that an application pushes with a filter", async () => {
    const { enter, server } = await counted(
      {},
      {
        joined: (channel) => server.presence.pushState(channel, { filter: () => true }),
      },
    )
    expect(await seen(await enter("ada"))).toEqual(["presence_state"])
  })
})

describe("states and diffs go, in place of a count,", () => {
  it.each([
    ["to a client that did not introduce itself, such as phoenix.js", true, ""],
    ["to a client that asked for no count", "none", INTRODUCED],
    ["for the param false", false, INTRODUCED],
    ["for the param null", null, INTRODUCED],
  ])("%s", async (_name, param, query) => {
    const { enter, timers } = await counted()
    const ada = await enter("ada", param, {}, query)
    timers.advance(50)
    await enter("bob")
    timers.advance(50)
    expect(await seen(ada)).toEqual(["presence_state", "presence_diff"])
  })

  it("where a handler may hide users from diffs", async () => {
    const { enter, timers } = await counted({}, { out: { presence_diff: () => undefined } })
    const ada = await enter("ada")
    timers.advance(50)
    expect(await seen(ada)).toEqual(["presence_state"])
  })
})

describe("a count by a field", () => {
  it("has the number of users for each value, the most frequent ones first", async () => {
    const { enter, timers } = await counted()
    await enter("ada", "none", { status: "busy" })
    await enter("bob", "none", { status: "free" })
    await enter("carol", "none", { status: "free" })
    timers.advance(50)
    const dan = await enter("dan", "status")
    expect(await seen(dan)).toEqual([{ total: 4, by: { free: 2, busy: 1 } }])
  })

  it("counts strings, numbers and booleans as text, whatever their names, and leaves all others to the total", async () => {
    const { enter, timers, presence } = await counted()
    const values = ["__proto__", "constructor", 7, true, "x".repeat(64), "x".repeat(65), { a: 1 }, [1], null]
    const watcher = await enter("watcher", "value")
    await seen(watcher)
    for (const [at, value] of values.entries()) presence.track({ pid: `p${at}`, topic: "rooms:1" }, `u${at}`, { value })
    timers.advance(50)
    const [count] = (await seen(watcher)) as [{ total: number; by: object }]
    expect(count.total).toBe(values.length + 1)
    expect(Object.entries(count.by)).toEqual(
      expect.arrayContaining([
        ["__proto__", 1],
        ["constructor", 1],
        ["7", 1],
        ["true", 1],
        ["x".repeat(64), 1],
      ]),
    )
    expect(Object.keys(count.by)).toHaveLength(5)
  })

  it("counts a user by its oldest meta", async () => {
    const { enter, timers, presence } = await counted()
    const watcher = await enter("watcher", "status")
    for (const [pid, status] of [
      ["1", "busy"],
      ["2", "free"],
    ] as const)
      presence.track({ pid, topic: "rooms:1" }, "ada", { status })
    timers.advance(50)
    await watcher.socket.settled()
    expect((await seen(watcher)).at(-1)).toEqual({ total: 2, by: { busy: 1 } })
  })

  it("follows a change of the field, and says nothing when another field changes", async () => {
    const { enter, timers, presence } = await counted()
    const watcher = await enter("watcher", "status")
    const ada = { pid: "p1", topic: "rooms:1" }
    presence.track(ada, "ada", { status: "busy" })
    timers.advance(50)
    await seen(watcher)
    presence.update(ada, "ada", { status: "busy", typing: true })
    timers.advance(50)
    expect(await seen(watcher)).toEqual([])
    presence.update(ada, "ada", { status: "free" })
    timers.advance(50)
    expect(await seen(watcher)).toEqual([{ total: 2, by: { free: 1 } }])
  })

  it("has at most a hundred values", async () => {
    const { enter, timers, presence } = await counted()
    const watcher = await enter("watcher", "id")
    await seen(watcher)
    for (let at = 0; at < 150; at += 1) presence.track({ pid: `p${at}`, topic: "rooms:1" }, `u${at}`, { id: at })
    presence.track({ pid: "last", topic: "rooms:1" }, "last", { id: 149 })
    timers.advance(50)
    const [count] = (await seen(watcher)) as [{ total: number; by: Record<string, number> }]
    expect(count.total).toBe(152)
    expect(Object.keys(count.by)).toHaveLength(100)
    expect(count.by["149"]).toBe(2)
  })

  it("is the total alone for a ninth field, and for a name that is too long", async () => {
    const { enter } = await counted()
    for (let at = 0; at < 8; at += 1) await enter(`u${at}`, `field${at}`)
    const [ninth, long, known] = [
      await enter("a", "field8"),
      await enter("b", "f".repeat(65)),
      await enter("c", "field0"),
    ]
    expect(await seen(ninth)).toEqual([{ total: expect.any(Number) }])
    expect(await seen(long)).toEqual([{ total: expect.any(Number) }])
    expect(await seen(known)).toEqual([{ total: expect.any(Number), by: {} }])
  })
})

it("counts of a large topic are sent at most once a second, however short the window of its diffs", async () => {
  const { enter, timers, presence } = await counted({ presenceWindowMs: 0 })
  for (let at = 0; at < 600; at += 1) presence.track({ pid: `p${at}`, topic: "rooms:1" }, `u${at}`, {})
  const ada = await enter("ada")
  expect(await seen(ada)).toEqual([{ total: 601 }])
  await enter("bob")
  timers.advance(999)
  expect(await seen(ada)).toEqual([])
  timers.advance(1)
  expect(await seen(ada)).toEqual([{ total: 602 }])
})
