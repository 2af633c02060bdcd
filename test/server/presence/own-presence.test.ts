import { describe, expect, it } from "vitest"
import type { Channel, ChannelHandlers, Server, ServerOptions } from "../../../src/server/index.ts"
import { serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

interface User {
  name: string
}

/** Serves rooms, and returns the channels that were joined, by the names of their users. */
async function rooms(handlers: (server: Server<User>) => Partial<ChannelHandlers<User>>, options: ServerOptions = {}) {
  const channels = new Map<string, Channel<User>>()
  const served = await serve<User>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    const { join, ...others } = handlers(server)
    server.channel("rooms:*", {
      join(topic, params, channel) {
        channels.set(channel.assigns.name, channel)
        return join?.(topic, params, channel) ?? { ok: {} }
      },
      ...others,
    })
  }, options)
  return {
    ...served,
    channel: (name: string) => channels.get(name) as Channel<User>,
    /** Connects a client that introduces itself, and takes out its first message, which contains the limits. */
    async introduced(name: string) {
      const client = await served.client(`name=${name}&client=rollcall/1`)
      await client.next()
      return client
    },
  }
}

type Frame = [unknown, unknown, unknown, event: string, payload: Record<string, any>]

/** Returns what a client has received, without replies: each own presence, and the refs in each state and diff, by key. */
async function seen(client: Client): Promise<unknown[]> {
  const refs = (users: Record<string, any>): unknown =>
    Object.fromEntries(Object.entries(users).map(([key, { metas }]) => [key, metas.map((meta: any) => meta.phx_ref)]))
  return ((await client.rest()) as Frame[])
    .filter(([, , , event]) => event !== "phx_reply")
    .map(([, , , event, payload]) => {
      if (event === "presence_state") return ["state", refs(payload)]
      if (event === "presence_diff") return ["diff", refs(payload["joins"])]
      return event === "presence_self" ? ["self", payload["key"], payload["phx_ref"]] : event
    })
}

const tracked = (): Partial<ChannelHandlers<User>> => ({ presence: ({ assigns }) => ({ key: assigns.name }) })

describe.each<[string, ServerOptions]>([
  ["by default", {}],
  ["with one diff for each change", { presenceWindowMs: false }],
])("a channel of a client that introduced itself, %s", (_which, options) => {
  it("gets its own key and ref, before the state that contains it", async () => {
    const { introduced, server } = await rooms(tracked, options)
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    const ref = server.presence.get("rooms:1", "ada")?.metas[0]?.phx_ref
    const received = await seen(ada)
    expect(received[0]).toEqual(["self", "ada", ref])
    expect(received.at(-1)).toEqual(["state", { ada: [ref] }])
    expect(received.slice(1).flat()).not.toContain("self")
  })

  it("gets the new ref before the diff of an update, by its own message or by the server", async () => {
    const { introduced, server, channel } = await rooms(
      ({ presence }) => ({
        ...tracked(),
        on: { presence_update: (payload, channel) => presence.handleUpdate(channel, payload) },
      }),
      options,
    )
    const ref = (): unknown => server.presence.get("rooms:1", "ada")?.metas[0]?.phx_ref
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    await seen(ada)
    ada.push("rooms:1", "presence_update", { meta: { status: "away" } })
    const received = await seen(ada)
    expect(received).toEqual([
      ["self", "ada", ref()],
      ["diff", { ada: [ref()] }],
    ])
    server.presence.update({ topic: "rooms:1", pid: channel("ada").pid }, "ada", { status: "busy" })
    expect(await seen(ada)).toEqual([
      ["self", "ada", ref()],
      ["diff", { ada: [ref()] }],
    ])
    expect(received).not.toContainEqual(["self", "ada", ref()])
  })

  it("gets it after the answer to its join, if the join handler has tracked it", async () => {
    const { introduced } = await rooms(
      ({ presence }) => ({
        join(_topic, _params, channel) {
          presence.track(channel, "ada")
          return { ok: {} }
        },
      }),
      options,
    )
    const ada = await introduced("ada")
    ada.push("rooms:1", "phx_join")
    const events = ((await ada.rest()) as Frame[]).map(([, , , event]) => event)
    expect(events.slice(0, 2)).toEqual(["phx_reply", "presence_self"])
  })

  it("gets it before a state that is held until the pending diff was sent", async () => {
    const { introduced, client } = await rooms(
      ({ presence }) => ({
        joined(channel) {
          channel.push("presence_state", presence.list(channel.topic))
          channel.push("later")
          presence.track(channel, channel.assigns.name)
        },
      }),
      options,
    )
    const bob = await client("name=bob")
    await bob.join("rooms:1")
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    const received = (await seen(ada)) as unknown[][]
    const self = received.findIndex(([what]) => what === "self")
    const shown = received.findIndex(([, refs]) => typeof refs === "object" && Object.hasOwn(refs as object, "ada"))
    expect(self).toBeGreaterThanOrEqual(0)
    expect(self).toBeLessThan(shown)
  })
})

describe("the own presence", () => {
  it("is the first key of a channel that tracks several; the next one when that was untracked", async () => {
    const { introduced, server, channel } = await rooms(tracked)
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    await seen(ada)
    server.presence.track(channel("ada"), "laptop")
    server.presence.update(channel("ada"), "laptop", { lid: "shut" })
    expect((await seen(ada)).map((each) => (each as unknown[])[0])).toEqual(["diff"])
    server.presence.untrack(channel("ada"), "ada")
    const ref = server.presence.update(channel("ada"), "laptop", { lid: "open" })
    expect(await seen(ada)).toContainEqual(["self", "laptop", ref])
  })

  it("is not sent for a presence in another topic", async () => {
    const { introduced, server, channel } = await rooms(() => ({}))
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    server.presence.track({ topic: "rooms:2", pid: channel("ada").pid }, "ada")
    expect(await seen(ada)).toEqual([])
  })

  it("is that of the present channel after the topic was joined again", async () => {
    const { introduced, server } = await rooms(tracked)
    const ada = await introduced("ada")
    await ada.join("rooms:1")
    await seen(ada)
    ada.push("rooms:1", "phx_join")
    const received = await seen(ada)
    const ref = server.presence.get("rooms:1", "ada")?.metas[0]?.phx_ref
    expect(received.filter((each) => (each as unknown[])[0] === "self")).toEqual([["self", "ada", ref]])
  })

  it("is sent in version 1, too", async () => {
    const { client } = await rooms(tracked)
    const ada = await client("name=ada&client=rollcall/1&vsn=1.0.0")
    ada.socket.send(JSON.stringify({ topic: "rooms:1", event: "phx_join", payload: {}, ref: "1" }))
    const own = ((await ada.rest()) as Record<string, any>[]).find(({ event }) => event === "presence_self")
    expect(own).toMatchObject({ topic: "rooms:1", ref: null, payload: { key: "ada" } })
  })

  it("is not sent to a client that has not introduced itself", async () => {
    const { client, server, channel } = await rooms(tracked)
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    server.presence.update(channel("ada"), "ada", { status: "away" })
    expect((await seen(ada)).flat()).not.toContain("self")
  })
})
