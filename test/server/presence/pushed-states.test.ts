import { describe, expect, it } from "vitest"
import { Presence } from "../../../src/client/index.ts"
import type { Channel, Server, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { FakeChannel } from "../../support/fake-channel.ts"
import { Inbox } from "../../support/inbox.ts"
import { Presence as PhoenixPresence } from "../../support/phoenix-client.ts"
import { serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

const TOPIC = "rooms:1"
const WINDOW = 60_000

/** The views of our client and of the official one, which are given the same frames. */
class Views {
  readonly #client: Client
  readonly #channel = new FakeChannel()
  readonly #ours: Presence
  readonly #phoenix: any

  constructor(client: Client) {
    this.#client = client
    this.#ours = new Presence(this.#channel)
    this.#phoenix = new PhoenixPresence(this.#channel)
  }

  /** Applies all received frames, and returns their events. */
  async receive(): Promise<string[]> {
    const events: string[] = []
    for (const frame of (await this.#client.rest()) as [unknown, unknown, unknown, string, any][]) {
      const [, , , event, payload] = frame
      events.push(event)
      if (event === "phx_reply" && payload.response.users !== undefined) this.#channel.state(payload.response.users)
      if (event === "presence_state" || event === "presence_diff") this.#channel.receive(event, payload)
    }
    return events
  }

  /** The keys that both views show, which must be the same. */
  get keys(): string[] {
    const keys = this.#ours.list((key) => key).sort()
    expect(this.#phoenix.list((key: string) => key).sort()).toEqual(keys)
    return keys
  }
}

/** A server with a long window, whose clients get no state when they join, and request one in the way of each test. */
async function rooms(
  handlers: (server: Server) => Record<string, (payload: any, channel: Channel) => unknown>,
  options: ServerOptions = {},
) {
  const timers = clock()
  const { server, client } = await serve(
    (server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        on: {
          track: (key, channel) => void server.presence.track(channel, key as string),
          untrack: (key, channel) => server.presence.untrack(channel, key as string),
          ...(handlers(server) as object),
        },
      })
    },
    { timers, presenceWindowMs: WINDOW, ...options },
  )
  const enter = async () => {
    const one = await client()
    await one.join(TOPIC)
    const send = async (event: string, payload: unknown = {}): Promise<void> => {
      one.push(TOPIC, event, payload)
      await one.socket.settled()
    }
    return { send, views: new Views(one), client: one }
  }
  const endWindow = async (): Promise<void> => {
    timers.advance(WINDOW)
    await new Promise(setImmediate)
  }
  return { server, presence: server.presence, enter, endWindow }
}

describe("a state that an application sends inside a window", () => {
  const waiting = new Inbox<() => void>("handlers that wait")

  it.each<[string, (channel: Channel, presence: Server["presence"]) => unknown]>([
    ["a copy of the list", (channel, presence) => channel.push("presence_state", { ...presence.list(TOPIC) })],
    [
      "a part of the list",
      (channel, presence) => {
        const users = Object.entries(presence.list(TOPIC)).filter(([key]) => key !== "invisible")
        channel.push("presence_state", Object.fromEntries(users))
      },
    ],
    ["pushState with a filter", (channel, presence) => presence.pushState(channel, { filter: (key) => key !== "no" })],
    ["the list in a reply", (_channel, presence) => ({ ok: { users: presence.list(TOPIC) } })],
    [
      "a list that is read after an await",
      async (channel, presence) => {
        const list = presence.list(TOPIC)
        await new Promise<void>((resolve) => waiting.put(resolve))
        channel.push("presence_state", { ...list })
      },
    ],
    [
      "a user that is read by get",
      (channel, presence) => {
        const ghost = presence.get(TOPIC, "ghost")
        channel.push("presence_state", ghost === undefined ? {} : { ghost })
      },
    ],
  ])("is sent at once, and brought up to date by the diff of the window: %s", async (what, state) => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      state: (_payload, channel) => state(channel, presence),
    }))
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ghost")
    await guest.send("state")
    if (!what.includes("await")) {
      await guest.views.receive()
      expect(guest.views.keys).toEqual(["ghost"])
    }
    await host.send("untrack", "ghost")
    await host.send("track", "bob")
    if (what.includes("await")) {
      ;(await waiting.next())()
      await guest.client.socket.settled()
      await guest.views.receive()
      expect(guest.views.keys).toEqual(["ghost"])
    }
    await endWindow()
    expect(await guest.views.receive()).toEqual(["presence_diff"])
    expect(guest.views.keys).toEqual(["bob"])
  })

  it("may come a second time, to a client that has a state and diffs already", async () => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      copy: (_payload, channel) => channel.push("presence_state", { ...presence.list(TOPIC) }),
      list: (_payload, channel) => presence.pushState(channel),
    }))
    const [host, guest] = [await enter(), await enter()]
    await guest.send("list")
    await host.send("track", "ada")
    await endWindow()
    await guest.views.receive()
    for (const again of ["copy", "list"]) {
      await host.send("track", "ghost")
      await guest.send(again)
      await host.send("untrack", "ghost")
      await host.send("track", again)
      await endWindow()
      await guest.views.receive()
      expect(guest.views.keys).toEqual(again === "copy" ? ["ada", "copy"] : ["ada", "copy", "list"])
    }
  })

  it("leaves the diff folded when no list is read", async () => {
    const { enter, endWindow, presence } = await rooms(({ presence }) => ({
      list: (_payload, channel) => channel.push("presence_state", presence.list(TOPIC)),
    }))
    const diffs: string[][] = []
    presence.onDiff((_topic, { joins, leaves }) => diffs.push([...Object.keys(joins), ...Object.keys(leaves)]))
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ghost")
    await host.send("track", "bob")
    await guest.send("list")
    await host.send("untrack", "ghost")
    await endWindow()
    expect(diffs).toEqual([["bob"]])
    expect(await guest.views.receive()).toEqual(["presence_state"])
    expect(guest.views.keys).toEqual(["bob"])
  })

  it("behind a state that waits for the window keeps its place, and is brought up to date, too", async () => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      both(_payload, channel) {
        presence.pushState(channel)
        channel.push("presence_state", { ...presence.list(TOPIC) })
      },
    }))
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ghost")
    await guest.send("both")
    await host.send("untrack", "ghost")
    await host.send("track", "bob")
    await endWindow()
    expect(await guest.views.receive()).toEqual(["presence_state", "presence_state", "presence_diff"])
    expect(guest.views.keys).toEqual(["bob"])
  })

  it("behind a state that waits for the window may be a copy from before the window", async () => {
    let copy: object = {}
    const { enter, endWindow } = await rooms(({ presence }) => ({
      read: () => void (copy = { ...presence.list(TOPIC) }),
      both(_payload, channel) {
        presence.pushState(channel)
        channel.push("presence_state", copy)
      },
    }))
    const host = await enter()
    await host.send("track", "ghost")
    await endWindow()
    const guest = await enter()
    await guest.send("read")
    await host.send("untrack", "ghost")
    await guest.send("both")
    await endWindow()
    await guest.views.receive()
    expect(guest.views.keys).toEqual([])
  })

  it("does not overtake the diffs of single changes (a window of false)", async () => {
    const { presence, enter } = await rooms(
      ({ presence }) => ({
        both(_payload, channel) {
          presence.track(channel, "ada")
          presence.pushState(channel)
          channel.push("presence_state", { ...presence.list(TOPIC) })
        },
      }),
      { presenceWindowMs: false },
    )
    const guest = await enter()
    await guest.send("both")
    expect(await guest.views.receive()).toEqual(["presence_diff", "presence_state", "presence_state"])
    expect(guest.views.keys).toEqual(Object.keys(presence.list(TOPIC)))
  })

  it("that waits for the window fits the diffs that the client got before it", async () => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      list: (_payload, channel) => presence.pushState(channel),
    }))
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ghost")
    await endWindow()
    await host.send("untrack", "ghost")
    await host.send("track", "bob")
    await guest.send("list")
    await endWindow()
    await guest.views.receive()
    expect(guest.views.keys).toEqual(["bob"])
  })
})

describe("a state while data is being fetched", () => {
  /** Fetches that a test ends. */
  function fetches() {
    const started: { readonly keys: readonly string[]; end(): void }[] = []
    const fetch = (_topic: string, keys: readonly string[]): Promise<Record<string, object>> =>
      new Promise((resolve) => {
        started.push({ keys, end: () => resolve(Object.fromEntries(keys.map((key) => [key, { name: key }]))) })
      })
    return { started, fetch }
  }

  it.each(["list", "copy"])("fits the diffs of all windows whose fetch is pending (%s)", async (state) => {
    const { started, fetch } = fetches()
    const { enter, endWindow } = await rooms(
      ({ presence }) => ({
        list: (_payload, channel) => presence.pushState(channel),
        copy: (_payload, channel) => channel.push("presence_state", { ...presence.list(TOPIC) }),
      }),
      { fetch },
    )
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ghost")
    await endWindow()
    await host.send("untrack", "ghost")
    await host.send("track", "bob")
    await guest.send(state)
    await endWindow()
    expect(started.map(({ keys }) => keys)).toEqual([["ghost"], ["bob"]])
    for (const { end } of started) {
      end()
      await new Promise(setImmediate)
    }
    await expect.poll(async () => (await guest.views.receive()) && guest.views.keys).toEqual(["bob"])
  })
})

describe("a copy of the list behind a state that waits for a fetch", () => {
  it("is brought up to date by the diff of the window", async () => {
    const fetched: (() => void)[] = []
    const { presence, enter, endWindow } = await rooms(
      ({ presence }) => ({
        both(_payload, channel) {
          presence.pushState(channel)
          channel.push("presence_state", { ...presence.list(TOPIC) })
        },
      }),
      { fetch: () => new Promise((resolve) => fetched.push(() => resolve({}))) },
    )
    const [host, guest] = [await enter(), await enter()]
    await host.send("track", "ada")
    await endWindow()
    await guest.send("both")
    for (const end of fetched) end()
    await expect.poll(() => Object.keys(presence.list(TOPIC))).toEqual(["ada"])
    await guest.views.receive()
    expect(guest.views.keys).toEqual(["ada"])
  })
})

describe("a state and copies of the list behind it, while data is being fetched", () => {
  /** Users whose fetch a test ends, and a guest who comes when `ghost` is there. */
  async function waiting() {
    const fetches = new Map<string, () => void>()
    const rig = await rooms(
      ({ presence }) => ({
        list: (_payload, channel) => presence.pushState(channel),
        copy: (_payload, channel) => channel.push("presence_state", { ...presence.list(TOPIC) }),
        both(_payload, channel) {
          presence.pushState(channel)
          channel.push("presence_state", { ...presence.list(TOPIC) })
        },
      }),
      {
        fetch: (_topic, [key]) => new Promise((resolve) => fetches.set(String(key), () => resolve({}))),
        // The clock of these tests moves by whole windows.
        fetchTimeoutMs: 10 * WINDOW,
        idleTimeoutMs: 10 * WINDOW,
      },
    )
    const endFetch = async (key: string): Promise<void> => {
      fetches.get(key)?.()
      await new Promise(setImmediate)
    }
    const host = await rig.enter()
    await host.send("track", "ghost")
    await rig.endWindow()
    await endFetch("ghost")
    return { ...rig, endFetch, host, guest: await rig.enter() }
  }

  it("get the diffs of all windows that are left when the first one ends", async () => {
    const { endFetch, endWindow, host, guest, presence } = await waiting()
    await host.send("track", "bob")
    await endWindow()
    await guest.send("both")
    await host.send("untrack", "ghost")
    await endWindow()
    await endFetch("bob")
    await guest.views.receive()
    expect(Object.keys(presence.list(TOPIC))).toEqual(["bob"])
    expect(guest.views.keys).toEqual(["bob"])
  })

  it("get the diffs of all windows before the one that the state waits for", async () => {
    const { endFetch, endWindow, host, guest, presence } = await waiting()
    await host.send("track", "bob")
    await endWindow()
    await host.send("untrack", "ghost")
    await endWindow()
    await host.send("track", "cara")
    await guest.send("both")
    await endFetch("bob")
    await endWindow()
    await endFetch("cara")
    await guest.views.receive()
    expect(Object.keys(presence.list(TOPIC))).toEqual(["bob", "cara"])
    expect(guest.views.keys).toEqual(["bob", "cara"])
  })

  it("get the diffs of windows that began before the list was read", async () => {
    const { endFetch, endWindow, host, guest, presence } = await waiting()
    await host.send("track", "bob")
    await endWindow()
    await guest.send("list")
    await host.send("untrack", "ghost")
    await guest.send("copy")
    await endFetch("bob")
    await endWindow()
    await guest.views.receive()
    expect(Object.keys(presence.list(TOPIC))).toEqual(["bob"])
    expect(guest.views.keys).toEqual(["bob"])
  })
})

describe("pushState", () => {
  it("without a filter sends the state as pushing the list does: after the window, in place of its diff", async () => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      list: (_payload, channel) => presence.pushState(channel),
    }))
    const guest = await enter()
    await guest.send("track", "ada")
    await guest.send("list")
    expect(await guest.views.receive()).toEqual([])
    await endWindow()
    expect(await guest.views.receive()).toEqual(["presence_state"])
    expect(guest.views.keys).toEqual(["ada"])
  })

  it("with a filter sends those users for which it returns true, and later diffs with all", async () => {
    const { enter, endWindow } = await rooms(({ presence }) => ({
      visible: (_payload, channel) =>
        presence.pushState(channel, { filter: (key, { metas }) => key !== "hidden" && metas.length === 1 }),
    }))
    const guest = await enter()
    for (const key of ["ada", "hidden", "bob"]) await guest.send("track", key)
    await endWindow()
    await guest.client.rest()
    await guest.send("visible")
    expect(await guest.views.receive()).toEqual(["presence_state"])
    expect(guest.views.keys).toEqual(["ada", "bob"])
    await guest.send("track", "hidden too")
    await endWindow()
    await guest.views.receive()
    expect(guest.views.keys).toEqual(["ada", "bob", "hidden too"])
  })
})
