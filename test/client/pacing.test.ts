/** How much of a connection's messages are in flight at a time. */
import { describe, expect, it, onTestFinished, test, vi } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type Transport } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"

const COUNT = 700

test.each([
  ["a WebSocket", WebSocket as unknown as Transport],
  ["long polling", LongPoll],
])(
  "over %s 1400 pushes that were kept while offline are all answered, in order in each room",
  async (_name, transport) => {
    const received: Record<string, unknown[]> = { "rooms:1": [], "rooms:2": [] }
    const { url } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        on: {
          async echo(payload, channel) {
            received[channel.topic]!.push((payload as { n: number }).n)
            // A database takes a moment.
            await new Promise((resolve) => setImmediate(resolve))
            return { ok: payload }
          },
        },
      })
    })
    const connection = connect(`${transport === LongPoll ? url.replace("ws", "http") : url}/socket`, { transport })
    onTestFinished(() => connection.disconnect())
    connection.socket.connect()
    const statuses: string[] = []
    connection.onStatus((status) => statuses.push(status))
    const rooms = Object.keys(received).map((topic) => connection.room(topic))
    const numbers = Array.from({ length: COUNT }, (_, n) => n)
    const replies = rooms.flatMap((room) => numbers.map((n) => room.push<{ n: number }>("echo", { n }, 60_000)))
    await expect(Promise.all(replies)).resolves.toEqual([...numbers, ...numbers].map((n) => ({ n })))
    expect(received).toEqual({ "rooms:1": numbers, "rooms:2": numbers })
    expect(statuses).toEqual(["open"])
  },
)

function setup() {
  const { transport, latest } = scriptedTransport()
  const timers = clock()
  const connection = connect("ws://example.test/socket", { transport, timers, reconnectAfterMs: () => 0 })
  onTestFinished(() => connection.disconnect())
  const open = (topic: string) => {
    const room = connection.room(topic, {}, { updateThrottleMs: 0 })
    if (latest().readyState === 0) latest().open()
    latest().reply(latest().last("phx_join"))
    return room
  }
  const sent = (event = "echo") =>
    latest()
      .all(event)
      .map(({ payload }) => payload.n as number)
  const answer = (count: number, from = 0): void => {
    for (const each of latest()
      .all("echo")
      .slice(from, from + count))
      latest().reply(each)
  }
  return { connection, timers, latest, open, sent, answer }
}

describe("a hundred messages are in flight at most", () => {
  it("and each reply makes room for the next one, in turn for each room", () => {
    const { open, sent, answer } = setup()
    const [first, second] = [open("rooms:1"), open("rooms:2")]
    for (let n = 0; n < 150; n++) void first.push("echo", { n })
    for (let n = 1000; n < 1150; n++) void second.push("echo", { n })
    expect(sent()).toEqual(Array.from({ length: 100 }, (_, n) => n))
    answer(1)
    expect(sent().slice(100)).toEqual([100])
    answer(3, 1)
    expect(sent().slice(100)).toEqual([100, 1000, 101, 1001])
  })

  it("and a reply makes room also if a callback of the application throws", () => {
    const { open, sent, latest, connection } = setup()
    const room = open("rooms:1")
    for (let n = 0; n < 101; n++) void room.push("echo", { n })
    connection.socket.onMessage(() => {
      throw new Error("no")
    })
    expect(() => latest().reply(latest().last("echo"))).toThrow("no")
    expect(sent()).toHaveLength(101)
  })

  it("and a message without a reply counts for half a second", () => {
    const { open, sent, timers } = setup()
    const room = open("rooms:1")
    for (let n = 0; n < 250; n++) void room.push("echo", { n })
    timers.advance(499)
    expect(sent()).toHaveLength(100)
    timers.advance(101)
    expect(sent()).toHaveLength(200)
    timers.advance(600)
    expect(sent()).toHaveLength(250)
  })

  it("so that a stream of messages without replies is not held up", () => {
    const { open, sent, timers } = setup()
    const room = open("rooms:1")
    for (let n = 0; n < 1000; n++) {
      void room.push("echo", { n })
      expect(sent()).toHaveLength(n + 1)
      timers.advance(6)
    }
  })

  it("and an update waits like any other", () => {
    const { open, latest, answer } = setup()
    const room = open("rooms:1")
    for (let n = 0; n < 100; n++) void room.push("echo", { n })
    room.update({ status: "in" })
    room.update({ status: "away" })
    expect(latest().all("presence_update")).toEqual([])
    answer(1)
    expect(latest().all("presence_update")).toMatchObject([{ payload: { meta: { status: "away" } } }])
  })

  it("and what waits when the connection breaks is sent after the rejoin, once", async () => {
    const { open, sent, answer, latest } = setup()
    const room = open("rooms:1")
    for (let n = 0; n < 150; n++) void room.push("echo", { n })
    room.update({ status: "in" })
    answer(20)
    const former = latest()
    // One of the replies made room for the update.
    expect(sent()).toHaveLength(119)
    former.drop()
    await expect.poll(() => latest() !== former).toBe(true)
    latest().open()
    latest().reply(latest().last("phx_join"))
    expect(sent()).toEqual(Array.from({ length: 31 }, (_, n) => 119 + n))
    expect([former, latest()].map((socket) => socket.all("presence_update").length)).toEqual([1, 1])
  })
})

it("no more messages are sent in any second than the server has announced", () => {
  const { open, sent, timers, latest } = setup()
  const room = open("rooms:1")
  latest().receive(null, null, "phoenix", "rollcall", { limits: { maxMessagesPerSecond: 50 } })
  for (let n = 0; n < 200; n++) void room.push("echo", { n })
  const counts: number[] = []
  for (let ms = 0; ms < 10_000; ms += 100) {
    for (const each of latest()
      .all("echo")
      .slice(counts.at(-1) ?? 0))
      latest().reply(each)
    counts.push(sent().length)
    timers.advance(100)
  }
  for (const [at, count] of counts.entries()) expect(count - (counts[at - 11] ?? 0)).toBeLessThanOrEqual(50)
  expect(sent()).toHaveLength(200)
})

it("the timeout of a push begins when it is sent", async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { open, sent, answer } = setup()
  const room = open("rooms:1")
  const pushes = Array.from({ length: 101 }, (_, n) => room.push("echo", { n }, 1000))
  await vi.advanceTimersByTimeAsync(999)
  answer(100)
  await vi.advanceTimersByTimeAsync(999)
  expect(sent()).toHaveLength(101)
  answer(1, 100)
  await expect(Promise.all(pushes)).resolves.toHaveLength(101)
})

it("a push that is made while the connection is closing waits for the next one, and its timeout begins there", async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { open, sent, answer, latest } = setup()
  const room = open("rooms:1")
  const former = latest()
  former.readyState = 2
  const push = room.push("echo", { n: 1 }, 1000)
  await vi.advanceTimersByTimeAsync(2000)
  former.drop()
  await vi.advanceTimersByTimeAsync(10)
  latest().open()
  latest().reply(latest().last("phx_join"))
  expect([former.all("echo").length, sent()]).toEqual([0, [1]])
  answer(1)
  await expect(push).resolves.toEqual({})
})
