import { describe, expect, it } from "vitest"
import type { Payload, Serializer, Server, ServerOptions } from "../../../src/server/index.ts"
import { v2 } from "../../../src/wire/v2.ts"
import { clock } from "../../support/clock.ts"
import { ok, serve } from "../../support/serve.ts"

// A serializer of an application may throw where the protocol's own never do: an encoder with a limit of depth, for example.
// That must end one connection or channel, not the process.

const { around: _, ...withoutAround } = v2

/** Version 2, except that it cannot reply to a heartbeat, to a join of `broken:*`, or to a message with a list as its reference. */
const faulty: Serializer = {
  ...withoutAround,
  vsn: "4.0.0",
  reply(joinRef, ref, topic, status, response) {
    if (topic === "phoenix" || String(topic).startsWith("broken:") || Array.isArray(ref))
      throw new Error("cannot encode this")
    return v2.reply(joinRef, ref, topic, status, response)
  },
  push: (joinRef, topic, event, payload) => v2.push(joinRef, topic, event, shallow(payload)),
  broadcast: (topic, event, payload) => v2.broadcast(topic, event, shallow(payload)),
  end(joinRef, topic, event, payload) {
    if (topic === "rooms:endless") throw new Error("cannot encode this")
    return v2.end(joinRef, topic, event, payload)
  },
}

/** Throws for a payload that is nested deeper than the encoder can write. */
function shallow(payload: Payload): Payload {
  if (payload.json.includes("[[[[")) throw new Error("cannot encode this")
  return payload
}

const join = (topic: string, params: object = {}): string => JSON.stringify(["1", "1", topic, "phx_join", params])
const heartbeat = '[null,"2","phoenix","heartbeat",{}]'
const closed = { event: "close", code: 1011, reason: "" }

async function served() {
  const timers = clock()
  const after = (ms: number): Promise<void> => new Promise((resolve) => timers.set(() => resolve(), ms))
  const { client, logged } = await serve(
    (server) => {
      server.socket("/socket")
      server.channel("*", {
        async join(_topic, { ms }) {
          if (typeof ms === "number") await after(ms)
          return { ok: {} }
        },
        on: { echo: (payload) => ({ ok: payload }) },
      })
    },
    { timers, serializers: [faulty] },
  )
  const neighbour = await client()
  await neighbour.join("rooms:1")
  return { faulty: await client("vsn=4.0.0"), neighbour, logged, timers }
}

it("a reply that cannot be encoded ends its connection with 1011, and no other", async () => {
  const { faulty, neighbour, logged } = await served()
  faulty.socket.send(heartbeat)
  expect(await faulty.next()).toEqual(closed)
  expect(await neighbour.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  expect(logged.map(({ message }) => message)).toEqual(["a message could not be answered"])
})

it("the answer to a slow join that cannot be encoded ends its connection with 1011, and drops the messages that waited", async () => {
  const { faulty, neighbour, timers } = await served()
  faulty.socket.burst([join("broken:1", { ms: 100 }), join("rooms:1")])
  await faulty.socket.settled()
  timers.advance(100)
  expect(await faulty.next()).toEqual(closed)
  expect(await neighbour.ask("rooms:1", "echo", 2)).toEqual(ok(2))
})

it("a message that waited for a join and cannot be answered ends its connection after the join's answer", async () => {
  const { faulty, neighbour, timers } = await served()
  faulty.socket.burst([join("rooms:1", { ms: 100 }), heartbeat, join("rooms:2")])
  await faulty.socket.settled()
  timers.advance(100)
  expect([await faulty.next(), await faulty.next()]).toEqual([["1", "1", "rooms:1", "phx_reply", ok()], closed])
  expect(await neighbour.ask("rooms:1", "echo", 3)).toEqual(ok(3))
})

describe("a message that cannot be encoded for the clients of one serializer", () => {
  /** Two clients of version 2 and one of the faulty serializer between them, all in one room. */
  async function room(topic: string, options: ServerOptions = {}) {
    let server: Server | undefined
    const { client, logged } = await serve(
      (created) => {
        server = created
        created.socket("/socket")
        created.channel("rooms:*", {
          join: () => ({ ok: {} }),
          on: {
            track: (meta, channel) => void created.presence.track(channel, "ada", meta as object),
            shout: (payload, channel) => channel.broadcast("shout", payload),
            echo: (payload) => ({ ok: payload }),
          },
        })
      },
      { serializers: [faulty], ...options },
    )
    const [first, broken, last] = [await client(), await client("vsn=4.0.0"), await client()]
    for (const each of [first, broken, last]) await each.join(topic)
    return { first, broken, last, logged, server: server as Server }
  }

  const deep = { deep: [[[[1]]]] }
  const events = (frames: readonly unknown[]): unknown[] => frames.map((frame) => (frame as unknown[])[3])

  it.each([0, 1, false])(
    "ends their channels when it is a presence diff, and no others (a window of %s)",
    async (window) => {
      const { first, broken, last, logged } = await room("rooms:1", { presenceWindowMs: window as number | false })
      first.push("rooms:1", "track", deep)
      expect(events([await first.next(), await broken.next(), await last.next()])).toEqual([
        "presence_diff",
        "phx_error",
        "presence_diff",
      ])
      expect(logged.map(({ message }) => message)).toEqual(["a channel crashed"])
      expect(await last.ask("rooms:1", "echo", 1)).toEqual(ok(1))
    },
  )

  it("reaches the others when it is a broadcast, and crashes the handler that sends it", async () => {
    const { first, broken, last } = await room("rooms:1")
    last.push("rooms:1", "shout", deep)
    expect(events([await first.next(), await last.next(), await last.next()])).toEqual(["shout", "shout", "phx_error"])
    expect(await broken.rest()).toEqual([])
  })

  it("ends the channel when it is the reply to a leave", async () => {
    const { broken, server } = await room("rooms:1")
    broken.socket.send('["rooms:1",["1"],"rooms:1","phx_leave",{}]')
    expect(events([await broken.next()])).toEqual(["phx_error"])
    expect(server.stats().channels).toBe(2)
  })

  it("ends the channel when it is the channel's end", async () => {
    const { broken, server, logged } = await room("rooms:endless")
    broken.push("rooms:endless", "phx_leave")
    expect(events(await broken.rest())).toEqual(["phx_reply"])
    expect(server.stats().channels).toBe(2)
    expect(logged.map(({ message }) => message)).toEqual(["the last messages of a channel could not be sent"])
  })
})
