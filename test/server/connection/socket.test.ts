import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import type { Channel, ChannelHandlers, Server } from "../../../src/server/index.ts"
import { Inbox } from "../../support/inbox.ts"
import { error, ok, serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

/** A server with one mounted socket, and the channels that the test adds. */
function served(setUp: (server: Server) => void) {
  return serve((server) => {
    server.socket("/socket")
    setUp(server)
  })
}

const joining = (reply: unknown): ChannelHandlers => ({ join: () => ({ ok: reply }) })

describe("a heartbeat (P9)", () => {
  it.each([
    [[null, "1", "phoenix", "heartbeat", {}], "1"],
    [[null, null, "phoenix", "heartbeat", {}], null],
    [["7", "2", "phoenix", "heartbeat", null], "2"],
    [["7", { a: 1 }, "phoenix", "heartbeat", "text", "more"], { a: 1 }],
  ])("%j is answered with ok and its reference, without a join reference", async (frame, ref) => {
    const { client } = await served(() => undefined)
    const one = await client()
    one.socket.send(JSON.stringify(frame))
    expect(await one.next()).toEqual([null, ref, "phoenix", "phx_reply", ok()])
  })

  it("in a binary frame is answered in text, and in version 1 as an object (recorded case 06)", async () => {
    const { client } = await served(() => undefined)
    const [one, old] = [await client(), await client("vsn=1.0.0")]
    one.socket.send(Buffer.concat([Buffer.from([0, 1, 1, 7, 9]), Buffer.from("78phoenixheartbeat")]))
    expect(await one.next()).toEqual([null, "8", "phoenix", "phx_reply", ok()])
    old.socket.send('{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"8"}')
    expect(await old.next()).toEqual({ topic: "phoenix", event: "phx_reply", payload: ok(), ref: "8" })
  })
})

describe("the handlers of a topic (P11)", () => {
  it("are those of the first pattern that matches: the topic itself, or a prefix before a star", async () => {
    const { client } = await served((server) => {
      server.channel("rooms:lobby", joining("the lobby"))
      server.channel("rooms:*", joining("a room"))
      server.channel("rooms:late", joining("never"))
      server.channel("*", joining("anything"))
    })
    const one = await client()
    const answers = {
      "rooms:lobby": "the lobby",
      "rooms:late": "a room",
      "rooms:": "a room",
      rooms: "anything",
      "": "anything",
    }
    for (const [topic, answer] of Object.entries(answers)) expect(await one.join(topic)).toEqual(ok(answer))
  })

  it("are compared by every character: upper case, blanks and stars have no special meaning in a topic", async () => {
    const { client } = await served((server) => server.channel("rooms:*", joining({})))
    const one = await client()
    for (const topic of ["Rooms:1", " rooms:1", "room", "*", "rooms"]) {
      expect(await one.join(topic)).toEqual(error({ reason: "unmatched topic" }))
    }
    for (const topic of ["rooms:*", "rooms: ", "rooms:é😀", "rooms:\u0000", "rooms:__proto__"]) {
      expect(await one.join(topic)).toEqual(ok())
    }
  })

  it("cannot be registered under a pattern with a star before its end", async () => {
    const { server } = await served(() => undefined)
    for (const pattern of ["rooms:*:x", "**"]) {
      expect(() => server.channel(pattern, joining({}))).toThrowError(expect.objectContaining({ code: "config" }))
    }
  })
})

describe("the end of a connection (P19)", () => {
  it("ends all its channels, each once, and removes their presences", async () => {
    const left = new Inbox<string>("channels that have been left")
    const { client, server } = await served((server) =>
      server.channel("rooms:*", {
        ...joining({}),
        joined: (channel) => void server.presence.track(channel, "ada"),
        left: (channel, reason) => left.put(`${channel.topic} ${reason}`),
      }),
    )
    const one = await client()
    for (const topic of ["rooms:1", "rooms:2", "rooms:3"]) await one.join(topic)
    one.push("rooms:2", "phx_leave")
    await one.rest()
    one.socket.reset()
    await left.count(3)
    expect(left.items).toEqual(["rooms:2 left", "rooms:1 closed", "rooms:3 closed"])
    for (const topic of ["rooms:1", "rooms:2", "rooms:3"]) expect(Object.keys(server.presence.list(topic))).toEqual([])
  })

  it("releases its memory: its channels can be garbage-collected (P20)", async () => {
    const channels: WeakRef<Channel>[] = []
    const { client, reached } = await served((server) =>
      server.channel("rooms:*", {
        ...joining({}),
        joined(channel) {
          channels.push(new WeakRef(channel))
          server.presence.track(channel, "ada")
        },
        on: { echo: (payload) => ({ ok: payload }) },
      }),
    )
    const stays = await client()
    await stays.join("rooms:1")
    const goes = await client()
    for (const topic of ["rooms:1", "rooms:2"]) {
      await goes.join(topic)
      await goes.rest()
    }
    expect(await goes.ask("rooms:1", "echo", 1)).toEqual(ok(1))
    goes.socket.reset()
    await reached("disconnects", 1)
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    await until(() => {
      collect()
      return channels.slice(1).every((channel) => channel.deref() === undefined)
    })
    expect(channels[0]?.deref()?.topic).toBe("rooms:1")
  })
})
