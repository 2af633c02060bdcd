/** `room.broadcast`: on a scripted transport, where the test chooses what the line does, and between real clients of a real server. */
import type { AddressInfo } from "node:net"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it, onTestFinished, test, vi } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { z } from "zod"
import { connect, LongPoll, type RollcallError, type RoomOptions, type Signal } from "../../src/client/index.ts"
import type { Transport } from "../../src/client/index.ts"
import { relay } from "../../src/server/index.ts"
import { clock } from "../support/clock.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"
import { Inbox } from "../support/inbox.ts"
import { until } from "../support/until.ts"

const TOPIC = "rooms:1"
const VOLATILE = { volatile: true }

function setup(options: RoomOptions = {}, maxMessageBytes?: number) {
  const { transport, latest } = scriptedTransport()
  let signal: (given: Signal) => void = () => undefined
  const signals = (notify: typeof signal) => {
    signal = notify
    return () => undefined
  }
  const connection = connect("ws://example.test/socket", {
    transport,
    signals,
    maxMessageBytes,
    reconnectAfterMs: () => 10,
  })
  onTestFinished(() => connection.disconnect())
  const room = connection.room(TOPIC, {}, options)
  const errors: RollcallError[] = []
  room.onError((error) => errors.push(error))
  const join = (): void => {
    if (latest().readyState === 0) latest().open()
    const { joinRef } = latest().last("phx_join")
    latest().reply(latest().last("phx_join"))
    latest().receive(joinRef, null, TOPIC, "presence_state", { ada: user("1") })
  }
  const sent = (event = "cursor"): unknown[] =>
    latest()
      .all(event)
      .map(({ payload }) => payload)
  const cursor = (x: unknown, event = "cursor") => room.broadcast(event, { x }, VOLATILE)
  return { connection, room, errors, latest, join, sent, cursor, signal: (given: Signal) => signal(given) }
}

function joined(options?: RoomOptions, maxMessageBytes?: number) {
  const all = setup(options, maxMessageBytes)
  all.join()
  return all
}

const passing = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const xs = (...values: number[]): unknown[] => values.map((x) => ({ x }))

describe("on a scripted line", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  describe("a broadcast", () => {
    it("waits for the join, and resolves with nothing once the server has accepted it", async () => {
      const { room, latest, join, sent } = setup()
      const broadcast = room.broadcast("chat", { text: "hi" })
      expect(sent("chat")).toEqual([])
      join()
      expect(sent("chat")).toEqual([{ text: "hi" }])
      latest().reply(latest().last("chat"), { any: 1 })
      await expect(broadcast).resolves.toBeUndefined()
    })

    it("rejects with the server's refusal, and with timeout if the server never replies", async () => {
      const { room, latest } = joined()
      const refused = room.broadcast("chat", { text: 7 })
      latest().reply(latest().last("chat"), { reason: "no" }, "error")
      await expect(refused).rejects.toMatchObject({ code: "push_rejected", reason: { reason: "no" } })
      const late = room.broadcast("chat")
      await passing(10_000)
      await expect(late).rejects.toMatchObject({ code: "timeout" })
    })

    it("rejects if the room is closed; nobody has to handle that", async () => {
      const { room } = joined()
      room.leave()
      const broadcast = room.broadcast("chat", {})
      await passing(0)
      await expect(broadcast).rejects.toMatchObject({ code: "closed" })
    })
  })

  describe("a volatile broadcast", () => {
    it("is sent at once, and then the last one of each interval, with the join's reference", async () => {
      const { cursor, sent, latest } = joined()
      void cursor(1)
      expect(sent()).toEqual(xs(1))
      expect(latest().last("cursor").joinRef).toBe(latest().last("phx_join").ref)
      void cursor(2)
      void cursor(3)
      await passing(49)
      expect(sent()).toEqual(xs(1))
      void cursor(4)
      await passing(1)
      expect(sent()).toEqual(xs(1, 4))
      await passing(50)
      expect(sent()).toEqual(xs(1, 4))
      void cursor(5)
      expect(sent()).toEqual(xs(1, 4, 5))
    })

    it("is throttled for each event by itself, by the option", async () => {
      const { cursor, sent } = joined({ broadcastThrottleMs: 200 })
      void cursor(1)
      await passing(150)
      void cursor(10, "pointer")
      void cursor(11, "pointer")
      void cursor(2)
      expect(sent("pointer")).toEqual(xs(10))
      await passing(50)
      expect([sent(), sent("pointer")]).toEqual([xs(1, 2), xs(10)])
      await passing(150)
      expect(sent("pointer")).toEqual(xs(10, 11))
    })

    it.each([-1, "fast", 2 ** 31])("is refused an interval of %j", (broadcastThrottleMs) => {
      expect(() => setup({ broadcastThrottleMs } as RoomOptions)).toThrow("expected broadcastThrottleMs to be")
    })

    it("needs no reply: it leaves no timer, no callback and no rejection", async () => {
      const { connection, cursor, sent, errors } = joined()
      await passing(20_000)
      const channel = connection.socket.channels[0]!
      const bindings = channel.bindings.length
      const timers = vi.getTimerCount()
      const all: Promise<void>[] = []
      for (let n = 0; n < 20; n++) {
        all.push(cursor(n))
        await passing(50)
      }
      await expect(Promise.all(all)).resolves.toEqual(all.map(() => undefined))
      expect(sent()).toHaveLength(20)
      expect([channel.bindings.length, vi.getTimerCount()]).toEqual([bindings, timers])
      await passing(20_000)
      expect(errors).toEqual([])
    })

    it("gets its reply, and a refusal, in silence", async () => {
      const { cursor, latest, errors, room } = joined()
      for (const status of ["ok", "error"]) {
        const broadcast = cursor(1)
        latest().reply(latest().last("cursor"), { reason: "no" }, status)
        await expect(broadcast).resolves.toBeUndefined()
        await passing(50)
      }
      expect([errors, room.status]).toEqual([[], "live"])
    })

    it("takes no place from the pushes, of which a hundred may be in flight", async () => {
      const { cursor, room, sent } = joined({ broadcastThrottleMs: 0 })
      for (let n = 0; n < 150; n++) {
        void cursor(n)
        await passing(0)
      }
      for (let n = 0; n < 100; n++) void room.push("echo", { n })
      expect([sent().length, sent("echo").length]).toEqual([150, 100])
    })

    it("is sent as bytes, which are copied at once", async () => {
      const { room, sent } = joined()
      const bytes = Uint8Array.from([1, 2, 3, 4])
      void room.broadcast("ink", bytes.subarray(1, 3), VOLATILE)
      void room.broadcast("ink", bytes.subarray(2), VOLATILE)
      bytes.fill(9)
      await passing(50)
      const tails = sent("binary").map((frame) => Array.from((frame as Uint8Array).slice(-2)))
      expect(tails).toEqual([
        [2, 3],
        [3, 4],
      ])
    })

    it("is dropped and not kept while the room is not joined", async () => {
      const { cursor, join, sent } = setup()
      await expect(cursor(1)).resolves.toBeUndefined()
      join()
      await passing(1000)
      expect(sent()).toEqual([])
      await cursor(2)
      expect(sent()).toEqual(xs(2))
    })

    it("is dropped while the connection is away, and what waited for the end of its interval, too", async () => {
      const { cursor, join, latest, sent, errors } = joined()
      void cursor(1)
      void cursor(2)
      latest().drop()
      void cursor(3, "pointer")
      await passing(10)
      void cursor(4, "pointer")
      await passing(50)
      join()
      await passing(1000)
      expect([sent(), sent("pointer"), errors]).toEqual([[], [], []])
    })

    it("is dropped while the browser is offline, while the connection is paused, and after the room has crashed", async () => {
      const { connection, cursor, join, latest, sent, signal } = joined()
      signal("offline")
      await cursor(1)
      signal("online")
      await passing(1000)
      await cursor(2)
      expect(sent()).toEqual(xs(2))
      const { joinRef } = latest().last("phx_join")
      latest().receive(joinRef, joinRef, TOPIC, "phx_error", {})
      await passing(50)
      await cursor(3)
      await passing(5000)
      join()
      expect(sent()).toEqual(xs(2))
      connection.pause()
      await cursor(4)
      connection.resume()
      await passing(10)
      join()
      await passing(1000)
      expect(sent()).toEqual([])
    })

    it("is dropped while many bytes wait in the transport, but not because of a small update", async () => {
      const { cursor, latest, sent } = joined()
      latest().bufferedAmount = 500
      await cursor(1)
      latest().bufferedAmount = 100_000
      await cursor(2)
      await passing(50)
      await cursor(3)
      latest().bufferedAmount = 0
      await passing(1000)
      expect(sent()).toEqual(xs(1))
      await cursor(4)
      expect(sent()).toEqual(xs(1, 4))
    })

    it("is dropped while a hundred messages are in flight, and delays none of those that wait", async () => {
      const { cursor, room, latest, sent, errors } = joined()
      for (let n = 0; n < 101; n++) void room.push("echo", { n })
      for (let n = 0; n < 10; n++) await cursor(n)
      expect([sent(), sent("echo").length]).toEqual([[], 100])
      latest().reply(latest().all("echo")[0]!)
      expect(sent("echo")).toHaveLength(101)
      for (const each of latest().all("echo")) latest().reply(each)
      await passing(1000)
      expect([sent(), errors]).toEqual([[], []])
    })

    it("is dropped beyond half of the messages per second that the server allows", async () => {
      const { cursor, latest, sent } = joined({ broadcastThrottleMs: 10 })
      latest().receive(null, null, "phoenix", "rollcall", { limits: { maxMessagesPerSecond: 40 } })
      await passing(1000)
      for (let n = 0; n < 80; n++) {
        void cursor(n)
        await passing(10)
      }
      expect(sent()).toHaveLength(20)
    })

    it("is dropped while the connection closes, and while a former join of the topic has not ended", async () => {
      const { connection, room, cursor, join, latest, sent } = joined()
      latest().deaf = true
      connection.socket.conn!.close()
      await cursor(1)
      latest().drop()
      await passing(10)
      join()
      expect(sent()).toEqual([])
      room.leave()
      await passing(50)
      const errors: RollcallError[] = []
      const next = connection.room(TOPIC)
      next.onError((error) => errors.push(error))
      await next.broadcast("cursor", { x: 2 }, VOLATILE)
      expect([sent(), errors, next.status]).toEqual([[], [], "joining"])
    })

    it("does not outlive its room, although the topic stays joined for a moment", async () => {
      const { room, cursor, sent, latest } = joined({ broadcastThrottleMs: 20 })
      void cursor(1)
      void cursor(2)
      room.leave()
      await expect(cursor(3)).resolves.toBeUndefined()
      await passing(40)
      expect([sent(), latest().all("phx_leave")]).toEqual([xs(1), []])
    })

    it("leaves no timer when the connection ends", async () => {
      const { connection, cursor } = joined({ broadcastThrottleMs: 60_000 })
      void cursor(1)
      connection.disconnect()
      await passing(10_000)
      expect(vi.getTimerCount()).toBe(0)
    })

    it("reports a payload that can never be sent, at once or at the end of an interval, and goes on", async () => {
      const { cursor, errors, sent } = joined({}, 200)
      await expect(cursor(1n)).resolves.toBeUndefined()
      await expect(cursor("x".repeat(200))).resolves.toBeUndefined()
      expect(errors.map(({ code }) => code)).toEqual(["bad_payload", "payload_too_large"])
      await passing(50)
      void cursor(1)
      void cursor("y".repeat(200))
      await passing(50)
      void cursor(2)
      await passing(50)
      expect(errors.map(({ code }) => code)).toEqual(["bad_payload", "payload_too_large", "payload_too_large"])
      expect(sent()).toEqual(xs(1, 2))
    })
  })

  test("whatever the line does: one message of an event in each interval, always the latest, never one older than an interval", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ event: fc.constantFrom("cursor", "pointer") }) },
      { weight: 4, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 60 }) }) },
      { weight: 1, arbitrary: fc.record({ buffered: fc.constantFrom(0, 1_000_000) }) },
      { weight: 1, arbitrary: fc.constant("reconnect" as const) },
    )
    const scenario = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { room, latest, join, errors, connection } = joined()
      const last: Record<string, number> = {}
      const at: Record<string, number> = {}
      let n = 0
      const broadcastAt: Record<string, number> = {}
      const seen = new Set<object>()
      const look = (): void => {
        for (const each of latest().sent) {
          const { event, payload } = each
          if (seen.has(each) || (event !== "cursor" && event !== "pointer")) continue
          seen.add(each)
          expect(latest().bufferedAmount).toBe(0)
          expect(payload.n).toBe(last[event])
          expect(Date.now() - broadcastAt[event]!).toBeLessThanOrEqual(50)
          expect(Date.now() - (at[event] ?? -Infinity)).toBeGreaterThanOrEqual(50)
          at[event] = Date.now()
        }
      }
      for (const each of steps) {
        if (each === "reconnect") {
          latest().drop()
          await passing(10)
          join()
        } else if ("pass" in each) {
          for (let ms = 0; ms < each.pass; ms++) {
            await passing(1)
            look()
          }
        } else if ("buffered" in each) latest().bufferedAmount = each.buffered
        else {
          last[each.event] = ++n
          broadcastAt[each.event] = Date.now()
          void room.broadcast(each.event, { n }, VOLATILE)
        }
        look()
      }
      expect(errors).toEqual([])
      connection.disconnect()
    })
    await fc.assert(scenario, { numRuns: Number(process.env["RUNS"] ?? 60) })
  })
})

/** A server that relays `chat` and `cursor`, and clients of it. */
async function relayed(transport: Transport = WebSocket) {
  const { url } = await serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: String(params["name"]) }) })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: ({ assigns }) => ({ key: assigns.name }),
      on: {
        chat: relay({ schema: z.object({ text: z.string() }) }),
        cursor: relay({ reply: false }),
      },
    })
  })
  const endPoint = `${transport === LongPoll ? url.replace("ws", "http") : url}/socket`
  return async (name: string) => {
    const connection = connect(endPoint, { transport, params: { name } })
    onTestFinished(() => connection.disconnect())
    const room = connection.room(TOPIC)
    const received = new Inbox<unknown>(name)
    for (const event of ["chat", "cursor"]) room.on(event, (payload) => received.put([event, payload]))
    await until(() => room.status === "live")
    return { room, received }
  }
}

describe.each<[string, Transport]>([
  ["WebSockets", WebSocket],
  ["long polling", LongPoll],
])("over %s with Rollcall's server", (_name, transport) => {
  it("a broadcast reaches the others with its sender, and not the sender; a refused one reaches nobody", async () => {
    const enter = await relayed(transport)
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    await expect(ada.room.broadcast("chat", { text: "hi" })).resolves.toBeUndefined()
    await expect(ada.room.broadcast("chat", { text: 7 })).rejects.toMatchObject({
      code: "push_rejected",
      reason: { reason: "invalid_payload", field: "text" },
    })
    await bob.room.broadcast("chat", { text: "and you?" })
    expect(await ada.received.next()).toEqual(["chat", { text: "and you?", from: "bob" }])
    expect(bob.received.items).toEqual([["chat", { text: "hi", from: "ada" }]])
  })

  it("the last volatile broadcast of a burst arrives, after some of the others, in order", async () => {
    const enter = await relayed(transport)
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    for (let x = 0; x < 100; x++) {
      void ada.room.broadcast("cursor", { x }, VOLATILE)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const isLast = (): boolean => bob.received.items.some((each) => (each as [string, { x: number }])[1].x === 99)
    await until(isLast)
    const positions = bob.received.items.map((each) => (each as [string, { x: number }])[1].x)
    expect(positions[0]).toBe(0)
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => a - b))
    expect(ada.received.items).toEqual([])
  })
})

// A server cannot send bytes over long polling.
test("bytes arrive over WebSockets", async () => {
  const enter = await relayed()
  const [ada, bob] = [await enter("ada"), await enter("bob")]
  await ada.room.broadcast("cursor", Uint8Array.from([1, 2]), VOLATILE)
  const [, payload] = (await bob.received.next()) as [string, ArrayBuffer]
  expect(Array.from(new Uint8Array(payload))).toEqual([1, 2])
})

test("what a server does not read is not buffered without end: volatile messages are dropped until it reads on", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  onTestFinished(() => server.close())
  const received: string[] = []
  const accepted = new Promise<WebSocket>((resolve) =>
    server.on("connection", (socket) => {
      socket.on("message", (data) => {
        const [joinRef, ref, topic, event, payload] = JSON.parse(String(data))
        if (event === "cursor") received.push(payload.text)
        else socket.send(JSON.stringify([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]))
      })
      resolve(socket)
    }),
  )
  await new Promise((resolve) => server.once("listening", resolve))
  const { port } = server.address() as AddressInfo
  // Virtual time: a heartbeat, which a server that does not read cannot answer, would end the connection.
  const timers = clock()
  const connection = connect(`ws://127.0.0.1:${port}/socket`, { transport: WebSocket, timers })
  onTestFinished(() => connection.disconnect())
  const room = connection.room(TOPIC, {}, { broadcastThrottleMs: 0 })
  await room.joined
  const socket = await accepted
  socket.pause()
  const buffered = (): number => connection.socket.conn!.bufferedAmount!
  const text = "x".repeat(10_000)
  const send = async (what: string): Promise<void> => {
    await room.broadcast("cursor", { text: what }, VOLATILE)
    timers.advance(1)
    await new Promise((resolve) => setTimeout(resolve))
  }
  while (buffered() <= 16_384) await send(text)
  for (let n = 0; n < 50; n++) await send(text)
  expect(buffered()).toBeLessThan(16_384 + 11_000)
  socket.resume()
  await until(() => buffered() === 0)
  await send("last")
  await until(() => received.includes("last"))
})
