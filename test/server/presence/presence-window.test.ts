import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createServer, growingWindow } from "../../../src/server/index.ts"
import type { PresenceState, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { PhoenixPresence } from "../../support/phoenix.ts"
import { serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

describe("growingWindow", () => {
  it("is 0 for small topics, 1 s from 500 users on, and 5 s from 5000 on", () => {
    const sizes = [0, 1, 499, 500, 4999, 5000, 1_000_000]
    expect(sizes.map((size) => growingWindow()("rooms:1", size))).toEqual([0, 0, 0, 1000, 1000, 5000, 5000])
  })

  it("keeps the window of a topic that shrinks a little", () => {
    const window = growingWindow()
    const sizes = [500, 499, 400, 399, 499, 500, 5000, 4000, 3999, 4999, 100]
    expect(sizes.map((size) => window("rooms:1", size))).toEqual([
      1000, 1000, 1000, 0, 0, 1000, 5000, 5000, 1000, 1000, 0,
    ])
  })

  it("treats each topic by itself, and one that became empty like a new one", () => {
    const window = growingWindow()
    window("rooms:1", 500)
    expect(window("rooms:2", 450)).toBe(0)
    expect(window("rooms:1", 0)).toBe(0)
    expect(window("rooms:1", 450)).toBe(0)
  })
})

/** A server with a function as its window, and a clock that the test advances. */
async function present(presenceWindowMs: ServerOptions["presenceWindowMs"], options: ServerOptions = {}) {
  const timers = clock()
  const served = await serve(
    (server) => {
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        presence: ({ assigns }) => ({ key: String(assigns["name"]) }),
        on: { echo: (payload) => ({ ok: payload }) },
      })
    },
    { timers, presenceWindowMs: presenceWindowMs!, ...options },
  )
  const enter = async (name: string): Promise<Client> => {
    const client = await served.client(`name=${name}`)
    await client.join("rooms:1")
    await client.socket.settled()
    return client
  }
  return { ...served, presence: served.server.presence, timers, enter }
}

const keysOf = (frame: unknown): unknown => {
  const [, , , event, payload] = frame as [unknown, unknown, unknown, string, { joins: object; leaves: object }]
  if (event === "presence_state") return { state: Object.keys(payload) }
  return { joins: Object.keys(payload.joins), leaves: Object.keys(payload.leaves) }
}

const news = async (client: Client): Promise<unknown[]> => (await client.rest()).map(keysOf)

describe("a function as presenceWindowMs", () => {
  it("is called with the topic and the number of its users, at the start of each window and when a topic becomes empty", async () => {
    const calls: unknown[] = []
    const { enter, timers } = await present((topic, size) => {
      calls.push([topic, size])
      return 100
    })
    const ada = await enter("ada")
    timers.advance(100)
    const bob = await enter("bob")
    timers.advance(100)
    for (const client of [ada, bob]) {
      client.push("rooms:1", "phx_leave")
      await client.socket.settled()
    }
    timers.advance(100)
    // Nobody had been sent the users when the first window began.
    expect(calls).toEqual([
      ["rooms:1", 0],
      ["rooms:1", 2],
      ["rooms:1", 1],
      ["rooms:1", 0],
    ])
  })

  it("decides how long changes are collected", async () => {
    const { enter, timers } = await present((_topic, size) => (size > 1 ? 2000 : 10))
    const ada = await enter("ada")
    timers.advance(10)
    expect(await news(ada)).toEqual([{ state: ["ada"] }])
    await enter("bob")
    await enter("carol")
    timers.advance(1999)
    expect(await news(ada)).toEqual([])
    timers.advance(1)
    expect(await news(ada)).toEqual([{ joins: ["bob", "carol"], leaves: [] }])
  })

  it("sends the state to those who joined 250 ms later at most, and then a diff that fits it", async () => {
    const { enter, timers } = await present((_topic, size) => (size > 1 ? 2000 : 10))
    const ada = await enter("ada")
    timers.advance(10)
    await news(ada)
    const ghost = await enter("ghost")
    const bob = await enter("bob")
    expect(await news(bob)).toEqual([])
    timers.advance(250)
    expect(await news(bob)).toEqual([{ state: ["ada", "ghost", "bob"] }])
    ghost.push("rooms:1", "phx_leave")
    await ghost.socket.settled()
    await enter("carol")
    timers.advance(1750)
    // With the ghost, who is in the view of bob, and for whom ada gets a join and a leave.
    const diff = { joins: ["ghost", "bob", "carol"], leaves: ["ghost"] }
    expect(await news(bob)).toEqual([diff])
    expect(await news(ada)).toEqual([diff])
  })

  it.each([
    ["a result that is no time", () => -1, "expected presenceWindowMs to return a time of 0 to 2147483647 ms, got -1"],
    ["a result of another type", () => "5" as unknown as number, 'got "5"'],
    [
      "an error",
      () => {
        throw new Error("on purpose")
      },
      "on purpose",
    ],
  ])("is reported once for %s, which counts as 0", async (_name, window, message) => {
    const { enter, logged } = await present(window)
    const ada = await enter("ada")
    await enter("bob")
    await enter("carol")
    await ada.rest()
    expect(logged.filter((entry) => entry.message === "presenceWindowMs failed")).toEqual([
      {
        message: "presenceWindowMs failed",
        details: { error: expect.objectContaining({ message: expect.stringContaining(message) }) },
      },
    ])
  })

  it("is accepted by createServer, as growingWindow() is", () => {
    expect(() => createServer({ presenceWindowMs: growingWindow() })).not.toThrow()
  })
})

const NAMES = ["ada", "bob", "carol", "dan"]

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("enter", "leave"), name: fc.constantFrom(...NAMES) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait"), ms: fc.constantFrom(10, 250, 600) }) },
)

/** Returns what phoenix.js shows after these frames: the references of each key. */
function shownBy(frames: readonly unknown[]): object {
  let state: PresenceState | undefined
  let pending: object[] = []
  for (const [, , , event, payload] of frames as [unknown, unknown, unknown, string, object][]) {
    if (event === "presence_state") {
      state = PhoenixPresence.syncState(state ?? {}, payload)
      for (const diff of pending) state = PhoenixPresence.syncDiff(state, diff)
      pending = []
    } else if (event === "presence_diff" && state === undefined) pending.push(payload)
    else if (event === "presence_diff") state = PhoenixPresence.syncDiff(state, payload)
  }
  return refsOf(state ?? {})
}

const refsOf = (state: PresenceState): object =>
  Object.fromEntries(Object.entries(state).map(([key, { metas }]) => [key, metas.map((meta) => meta.phx_ref).sort()]))

it("phoenix.js shows who is present, whenever it has joined, and however long the windows are", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 30 }),
      fc.constantFrom(300, 4000),
      async (steps, ms) => {
        const { enter, timers, presence, server } = await present(() => ms)
        const clients = new Map<string, Client>()
        for (const each of steps) {
          if (!("name" in each)) timers.advance(each.ms)
          else if (each.kind === "enter" && !clients.has(each.name)) clients.set(each.name, await enter(each.name))
          else if (each.kind === "leave") {
            clients.get(each.name)?.push("rooms:1", "phx_leave")
            await clients.get(each.name)?.socket.settled()
            clients.delete(each.name)
          }
        }
        // Two windows: what is held when the first one ends may wait for the next one.
        for (let at = 0; at < 3; at += 1) {
          timers.advance(10_000)
          await new Promise(setImmediate)
        }
        for (const client of clients.values()) {
          expect(shownBy(await client.rest())).toEqual(refsOf(presence.list("rooms:1")))
        }
        await server.close()
      },
    ),
    { numRuns: 80 },
  )
})
