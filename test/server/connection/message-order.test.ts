import { describe, expect, it } from "vitest"
import type { ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

// Phoenix has one process for each connection. While it waits for a join's answer, all messages from and to the client wait in
// the process's mailbox. A client notices that by the order of its frames.

/** A server whose rooms answer a join after `ms`, and reply to `late` after 50 ms. Time passes only by `timers.advance`. */
async function slowly(options: ServerOptions = {}) {
  const timers = clock()
  const after = (ms: number): Promise<void> => new Promise((resolve) => timers.set(() => resolve(), ms))
  const served = await serve(
    (server) => {
      server.socket("/socket", {
        connect: ({ params }) => ({ name: params["name"] }),
        id: ({ assigns }) => assigns["name"] as string,
      })
      server.channel("rooms:*", {
        async join(_topic, { ms, deny }) {
          if (typeof ms === "number") await after(ms)
          return deny === true ? { error: { reason: "no" } } : { ok: {} }
        },
        joined(channel) {
          server.presence.track(channel, String(channel.assigns["name"]))
          channel.push("presence_state", server.presence.list(channel.topic))
        },
      })
      server.channel("slow:*", {
        async join(_topic, { ms }) {
          if (typeof ms === "number") await after(ms)
          return { ok: {} }
        },
      })
      server.channel("calling:*", {
        join(_topic, { to }) {
          server.broadcast(String(to), "news", { from: "join" })
          return { ok: {} }
        },
      })
      server.channel("quick:*", {
        join: (_topic, { deny }) => (deny === true ? { error: { reason: "no" } } : { ok: {} }),
        on: {
          echo: (payload) => ({ ok: payload }),
          shout: (payload, channel) => channel.broadcast("shout", payload),
          late(payload, channel) {
            const reply = channel.replyTo()
            timers.set(() => reply({ ok: payload }), 50)
          },
        },
      })
    },
    { timers, presenceWindowMs: false, ...options },
  )
  const enter = async (name: string, ...topics: readonly string[]): Promise<Client> => {
    const client = await served.client(`name=${name}`)
    for (const topic of topics) await client.join(topic)
    await client.rest()
    return client
  }
  return { ...served, timers, enter }
}

const reply = (topic: string, ref: string, payload: unknown = ok()): unknown => [
  topic,
  ref,
  topic,
  "phx_reply",
  payload,
]
const beat = (ref: string): string => JSON.stringify([null, ref, "phoenix", "heartbeat", {}])
const beaten = (ref: string): unknown => [null, ref, "phoenix", "phx_reply", ok()]
const join = (topic: string, ref: string, params: unknown = {}): string =>
  JSON.stringify([ref, ref, topic, "phx_join", params])
const close = (topic: string, ref: string): unknown => [ref, ref, topic, "phx_close", {}]

/** The event of each frame, or the code of a close, where the payload does not matter. */
const kinds = (frames: readonly unknown[]): unknown[] =>
  frames.map((frame) => (Array.isArray(frame) ? frame[3] : (frame as { code: number }).code))

describe("while a join is in progress (P10)", () => {
  it("everything for its client waits, and follows its answer in the order in which it arrived", async () => {
    const { enter, server, timers } = await slowly()
    const ada = await enter("ada", "quick:1")
    const ref = ada.push("quick:1", "late")
    ada.socket.send(join("rooms:1", "j", { ms: 100 }))
    ada.socket.send(beat("b1"))
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { n: 1 })
    timers.advance(50)
    ada.socket.send(beat("b2"))
    expect(await ada.rest()).toEqual([])
    timers.advance(50)
    const frames = await ada.rest()
    expect(frames.slice(0, 5)).toEqual([
      ["j", "j", "rooms:1", "phx_reply", ok()],
      beaten("b1"),
      [null, null, "quick:1", "news", { n: 1 }],
      reply("quick:1", ref),
      beaten("b2"),
    ])
    // The messages of the new channel come last.
    expect(kinds(frames.slice(5))).toEqual(["presence_diff", "presence_state"])
  })

  it("a leave of the topic waits, too: the topic is joined, and then left", async () => {
    const { enter, timers } = await slowly()
    const [ada, bob] = [await enter("ada"), await enter("bob", "rooms:1")]
    ada.socket.burst([join("rooms:1", "j", { ms: 100 }), '["j","l","rooms:1","phx_leave",{}]'])
    expect(await ada.rest()).toEqual([])
    timers.advance(100)
    const frames = await ada.rest()
    expect(kinds(frames)).toEqual(["phx_reply", "presence_diff", "presence_state", "phx_reply", "phx_close"])
    expect(kinds(await bob.rest())).toEqual(["presence_diff", "presence_diff"])
  })

  it("another join of the topic waits, and then replaces the first (P12)", async () => {
    const { enter, timers } = await slowly()
    const ada = await enter("ada")
    ada.socket.send(join("rooms:1", "j", { ms: 100 }))
    await ada.socket.settled()
    ada.socket.send(join("rooms:1", "k", { ms: 100, deny: true }))
    expect(await ada.rest()).toEqual([])
    timers.advance(100)
    expect((await ada.rest())[0]).toEqual(["j", "j", "rooms:1", "phx_reply", ok()])
    timers.advance(100)
    expect((await ada.rest()).slice(0, 2)).toEqual([
      ["k", "k", "rooms:1", "phx_reply", error({ reason: "no" })],
      close("rooms:1", "j"),
    ])
  })

  it("a malformed frame waits with its close (recorded case 09)", async () => {
    const { enter, timers, reached } = await slowly()
    const ada = await enter("ada")
    ada.socket.burst([join("rooms:1", "j", { ms: 100 }), "{nope", beat("1")])
    await reached("bad_frames", 1)
    expect(ada.socket.inbox.rest()).toEqual([])
    timers.advance(100)
    expect(kinds([await ada.next(), await ada.next()])).toEqual(["phx_reply", 1011])
  })

  it("the client's own close waits, too: the topic is joined and then left, and only the answer comes before the close", async () => {
    const { enter, timers, reached } = await slowly()
    const [ada, bob] = [await enter("ada", "quick:1"), await enter("bob", "rooms:1", "quick:1")]
    ada.socket.burst([join("rooms:1", "j", { ms: 100 }), '["quick:1","1","quick:1","shout",{}]'])
    await ada.socket.settled()
    ada.socket.close(1001, "bye")
    await bob.rest()
    expect(ada.socket.inbox.rest()).toEqual([])
    timers.advance(100)
    expect([await ada.next(), await ada.next()]).toEqual([
      ["j", "j", "rooms:1", "phx_reply", ok()],
      { event: "close", code: 1000, reason: "" },
    ])
    await reached("disconnects", 1)
    expect(kinds(await bob.rest())).toEqual(["presence_diff", "shout", "presence_diff"])
  })

  it("server.disconnect closes its client after the answer, and before anything else; others see it join and leave (P18)", async () => {
    const { enter, server, timers } = await slowly()
    const [ada, bob] = [await enter("ada"), await enter("bob", "rooms:1")]
    ada.socket.send(join("rooms:1", "j", { ms: 100 }))
    await ada.socket.settled()
    server.disconnect("ada")
    expect(await ada.rest()).toEqual([])
    timers.advance(100)
    expect([await ada.next(), await ada.next()]).toEqual([
      ["j", "j", "rooms:1", "phx_reply", ok()],
      { event: "close", code: 1001, reason: "" },
    ])
    expect(kinds(await bob.rest())).toEqual(["presence_diff", "presence_diff"])
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual(["bob"])
  })

  it("the frames that wait for its client are bounded by maxBufferedBytes, as for a client that does not read", async () => {
    const { enter, server, counted } = await slowly({ maxBufferedBytes: 10_000 })
    const ada = await enter("ada", "quick:1")
    ada.socket.send(join("rooms:1", "j", { ms: 100 }))
    await ada.socket.settled()
    for (let i = 0; i < 11; i += 1) server.broadcast("quick:1", "news", { text: "x".repeat(1_000) })
    expect(await ada.next()).toEqual({ event: "close", code: 1013, reason: "" })
    expect(counted.get("slow_consumers")).toBe(1)
  })

  it("nothing waits if the join is answered at once, not even the rest of its burst", async () => {
    const { enter } = await slowly()
    const ada = await enter("ada")
    ada.socket.burst([join("quick:1", "j"), beat("1"), '["j","e","quick:1","echo",{"n":1}]', beat("2")])
    // A channel handles its messages after the burst: the replies of the socket itself come first.
    expect(await ada.rest()).toEqual([
      ["j", "j", "quick:1", "phx_reply", ok()],
      beaten("1"),
      beaten("2"),
      ["j", "e", "quick:1", "phx_reply", ok({ n: 1 })],
    ])
  })
})

describe("mail that waits for a join", () => {
  it("keeps its order: a broadcast of a join that waited comes after the broadcasts that waited with it", async () => {
    const { enter, server, timers } = await slowly()
    const ada = await enter("ada", "quick:1")
    ada.socket.burst([join("slow:1", "j", { ms: 100 }), join("calling:1", "k", { to: "quick:1" })])
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { from: "server" })
    timers.advance(100)
    expect(await ada.rest()).toEqual([
      ["j", "j", "slow:1", "phx_reply", ok()],
      ["k", "k", "calling:1", "phx_reply", ok()],
      [null, null, "quick:1", "news", { from: "server" }],
      [null, null, "quick:1", "news", { from: "join" }],
    ])
  })

  it("keeps its order over a second slow join: frames from before that join are sent before frames from after it", async () => {
    const { enter, server, timers } = await slowly()
    const ada = await enter("ada", "quick:1")
    ada.socket.burst([
      join("slow:1", "j", { ms: 100 }),
      join("calling:1", "k", { to: "quick:1" }),
      join("slow:2", "l", { ms: 100 }),
    ])
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { from: "server" })
    timers.advance(100)
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { from: "later" })
    timers.advance(100)
    expect(await ada.rest()).toEqual([
      ["j", "j", "slow:1", "phx_reply", ok()],
      ["k", "k", "calling:1", "phx_reply", ok()],
      ["l", "l", "slow:2", "phx_reply", ok()],
      [null, null, "quick:1", "news", { from: "server" }],
      [null, null, "quick:1", "news", { from: "join" }],
      [null, null, "quick:1", "news", { from: "later" }],
    ])
  })

  it("keeps its order with the phx_close of a replaced channel, which comes after the mail from before the new join (P12)", async () => {
    const { enter, server, timers } = await slowly()
    const ada = await enter("ada", "quick:1", "slow:2")
    ada.socket.burst([join("slow:1", "j", { ms: 100 }), join("slow:2", "k", { ms: 100 })])
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { n: 1 })
    timers.advance(100)
    await ada.socket.settled()
    server.broadcast("quick:1", "news", { n: 2 })
    timers.advance(100)
    expect(await ada.rest()).toEqual([
      ["j", "j", "slow:1", "phx_reply", ok()],
      ["k", "k", "slow:2", "phx_reply", ok()],
      [null, null, "quick:1", "news", { n: 1 }],
      close("slow:2", "slow:2"),
      [null, null, "quick:1", "news", { n: 2 }],
    ])
  })

  it("is dropped behind a close, which is the last event that the client gets", async () => {
    const { enter, server, timers } = await slowly()
    const ada = await enter("ada", "quick:1")
    ada.socket.burst([join("slow:1", "j", { ms: 100 }), "{nope", join("calling:1", "k", { to: "quick:1" })])
    await ada.socket.settled()
    server.broadcast("quick:1", "news", {})
    timers.advance(100)
    expect([await ada.next(), await ada.next()]).toEqual([
      ["j", "j", "slow:1", "phx_reply", ok()],
      { event: "close", code: 1011, reason: "" },
    ])
    expect(await ada.rest()).toEqual([])
  })

  it("is counted in bytes against maxBufferedBytes, not in characters", async () => {
    const { enter, server, counted, timers } = await slowly({ maxBufferedBytes: 10_000 })
    const ada = await enter("ada", "quick:1")
    ada.socket.send(join("slow:1", "j", { ms: 100 }))
    await ada.socket.settled()
    // Six messages of 2,000 bytes in 1,000 characters: when the sixth is sent, more than the limit is waiting already.
    for (let i = 0; i < 5; i += 1) server.broadcast("quick:1", "news", { text: "é".repeat(1_000) })
    await ada.socket.settled()
    expect(ada.socket.ended).toBe(false)
    server.broadcast("quick:1", "news", { text: "é".repeat(1_000) })
    expect(await ada.next()).toEqual({ event: "close", code: 1013, reason: "" })
    expect(counted.get("slow_consumers")).toBe(1)
    timers.advance(100)
  })
})

describe("the phx_close of a channel whose topic is joined again (P12)", () => {
  it("comes after the answers to the rest of the burst, also when the new join is refused", async () => {
    const { enter } = await slowly()
    const ada = await enter("ada", "quick:1", "quick:2")
    ada.socket.burst([join("quick:1", "j"), join("quick:2", "k", { deny: true }), beat("1")])
    expect(await ada.rest()).toEqual([
      ["j", "j", "quick:1", "phx_reply", ok()],
      ["k", "k", "quick:2", "phx_reply", error({ reason: "no" })],
      beaten("1"),
      close("quick:1", "quick:1"),
      close("quick:2", "quick:2"),
    ])
  })

  it("comes before everything that arrived while the new join was in progress", async () => {
    const { enter, timers } = await slowly()
    const ada = await enter("ada", "rooms:1")
    ada.socket.send(join("rooms:1", "j", { ms: 100 }))
    await ada.socket.settled()
    ada.socket.send(beat("1"))
    await ada.socket.settled()
    timers.advance(100)
    expect((await ada.rest()).slice(0, 3)).toEqual([
      ["j", "j", "rooms:1", "phx_reply", ok()],
      close("rooms:1", "rooms:1"),
      beaten("1"),
    ])
  })

  it("is the last message of that channel: its pending replies are dropped (P16)", async () => {
    const { enter, timers } = await slowly()
    const ada = await enter("ada", "quick:1")
    for (const [at, end] of ["phx_join", "phx_leave", "no such event"].entries()) {
      ada.push("quick:1", "late")
      ada.push("quick:1", end)
      await ada.rest()
      if (at > 0) await ada.join("quick:1")
      timers.advance(50)
      expect(await ada.rest()).toEqual([])
    }
  })
})

describe("a malformed frame (recorded case 09)", () => {
  it("closes its connection at once; messages before it in its burst are handled, but their replies are dropped", async () => {
    const { enter } = await slowly()
    const [ada, bob] = [await enter("ada", "quick:1"), await enter("bob", "quick:1", "rooms:1")]
    const shout = '["quick:1","1","quick:1","shout",{"n":1}]'
    const echo = '["quick:1","2","quick:1","echo",{}]'
    ada.socket.burst([beat("1"), shout, echo, join("rooms:1", "j"), "{nope", beat("2"), shout])
    expect([await ada.next(), await ada.next(), await ada.next()]).toEqual([
      beaten("1"),
      ["j", "j", "rooms:1", "phx_reply", ok()],
      { event: "close", code: 1011, reason: "" },
    ])
    expect(kinds(await bob.rest())).toEqual(["shout", "presence_diff", "presence_diff"])
  })
})
