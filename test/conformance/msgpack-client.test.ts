import { afterEach, describe, expect, it } from "vitest"
import { LocalBus } from "../../src/pubsub/local.ts"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import type { Server } from "../../src/server/index.ts"
import { Inbox } from "../support/inbox.ts"
import { msgpack, msgpackClient } from "../support/msgpack.ts"
import { Presence, disconnectAll, officialSocket, reply } from "../support/phoenix-client.ts"
import { serve } from "../support/serve.ts"

// phoenix.js with MessagePack as its encoding, against a server with the MessagePack serializer. A client of version 2
// is
// always connected, too, and both clients must get the same.

afterEach(() => disconnectAll())

function setUp(server: Server<{ name: string }>): void {
  server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
  server.channel("rooms:*", {
    join: (_topic, params) => (params["deny"] === true ? { error: { reason: "denied" } } : { ok: { params } }),
    presence: (channel) => ({ key: channel.assigns.name, meta: { status: "here" } }),
    on: {
      echo: (payload) => ({ ok: payload }),
      shout: (payload, channel) => channel.broadcast("shout", payload),
      update: (payload, channel) => server.presence.handleUpdate(channel, payload),
      push: (payload, channel) => channel.push("pushed", payload),
      bytes: (_payload, channel) => channel.broadcast("shout", new Uint8Array([0, 255])),
      date: (_payload, channel) => channel.broadcast("shout", { at: new Date(0) }),
      crash() {
        throw new Error("no")
      },
      stop: (_payload, channel) => channel.stop(),
    },
    out: { secret: (payload: { text: string }, channel) => channel.push("shout", { length: payload.text.length }) },
  })
}

async function served(pubsub?: PubSub) {
  const { server, url, logged } = await serve(setUp, { serializers: [msgpack], ...(pubsub && { pubsub }) })
  async function join(name: string, options: object) {
    const socket = officialSocket(url, { name }, options)
    const channel = socket.channel("rooms:1", { from: name })
    const messages = new Inbox<unknown>(`messages to ${name}`)
    for (const event of ["shout", "pushed"]) {
      channel.on(event, (payload: unknown) => {
        messages.put([event, payload instanceof ArrayBuffer ? new Uint8Array(payload) : payload])
      })
    }
    const presence = new Presence(channel)
    return { socket, channel, messages, presence, answer: await reply(channel.join()) }
  }
  return { server, join, logged }
}

/** Returns the keys and statuses that a client lists. */
const sees = (presence: any): unknown =>
  presence.list((key: string, { metas }: any) => `${key} ${metas.map(({ status }: any) => status)}`).sort()

describe("phoenix.js with MessagePack", () => {
  it("joins, pushes, gets replies and broadcasts, with JSON values and with bytes", async () => {
    const { join } = await served()
    const [ada, bob] = [await join("ada", msgpackClient), await join("bob", {})]
    expect(ada.answer).toEqual({ status: "ok", response: { params: { from: "ada" } } })
    const value = { text: "é😀", list: [1, -2.5, null, true, { deep: [] }] }
    expect(await reply(ada.channel.push("echo", value))).toEqual({ status: "ok", response: value })
    ada.channel.push("push", value)
    ada.channel.push("shout", value)
    ada.channel.push("bytes", {})
    ada.channel.push("date", {})
    await ada.messages.count(4)
    await bob.messages.count(3)
    const broadcasts = [
      ["shout", value],
      ["shout", new Uint8Array([0, 255])],
      ["shout", { at: "1970-01-01T00:00:00.000Z" }],
    ]
    expect(ada.messages.items).toEqual([["pushed", value], ...broadcasts])
    expect(bob.messages.items).toEqual(broadcasts)
  })

  it("is notified of refusals, crashes and closes", async () => {
    const { join } = await served()
    const { socket, channel } = await join("ada", msgpackClient)
    expect(await reply(socket.channel("rooms:2", { deny: true }).join())).toEqual({
      status: "error",
      response: { reason: "denied" },
    })
    const errors = new Inbox<unknown>("errors")
    channel.onError((reason: unknown) => errors.put(reason))
    channel.push("crash", {})
    expect(await errors.next()).toEqual({ reason: "channel_crash" })
    const closed = new Promise((resolve) => channel.onClose(resolve))
    await expect.poll(() => channel.state).toBe("joined")
    channel.push("stop", {})
    expect(await closed).toEqual({})
  })

  it("gets the presence state and diffs, as a client of version 2 does", async () => {
    const { join } = await served()
    const [ada, bob] = [await join("ada", msgpackClient), await join("bob", {})]
    for (const { presence } of [ada, bob]) await expect.poll(() => sees(presence)).toEqual(["ada here", "bob here"])
    const cy = await join("cy", msgpackClient)
    for (const { presence } of [ada, bob, cy]) {
      await expect.poll(() => sees(presence)).toEqual(["ada here", "bob here", "cy here"])
    }
    await reply(ada.channel.push("update", { meta: { status: "away" } }))
    for (const { presence } of [ada, bob, cy]) {
      await expect.poll(() => sees(presence)).toEqual(["ada away", "bob here", "cy here"])
    }
    await reply(bob.channel.leave())
    for (const { presence } of [ada, cy]) await expect.poll(() => sees(presence)).toEqual(["ada away", "cy here"])
  })

  it("gets broadcasts of other nodes, as JSON, as bytes, and through out handlers", async () => {
    const bus = new LocalBus()
    const [one, two] = [await served(bus.join()), await served(bus.join())]
    const ada = await two.join("ada", msgpackClient)
    one.server.broadcast("rooms:1", "shout", { n: 1 })
    one.server.broadcast("rooms:1", "shout", new Uint8Array([7]))
    one.server.broadcast("rooms:1", "secret", { text: "four" })
    await ada.messages.count(3)
    expect(ada.messages.items).toEqual([
      ["shout", { n: 1 }],
      ["shout", new Uint8Array([7])],
      ["shout", { length: 4 }],
    ])
  })
})
