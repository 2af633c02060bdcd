/** Messages because of which the server closes the connection, each time they are sent. */
import { describe, expect, it, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type Connection, type RollcallError, type Transport } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { scriptedTransport, type Sent } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"

const MAX = 2000
const big = { text: "x".repeat(MAX) }

/** A server that closes the connection with 1009 for what is larger than `MAX`, and does not announce it. */
async function setup(names: string[], transport = WebSocket as unknown as Transport) {
  const { url } = await serve<{ name: string }>(
    (server) => {
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        presence: ({ assigns }) => ({ key: assigns.name, meta: {} }),
        on: {
          echo: (payload) => ({ ok: payload }),
          presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload),
        },
      })
    },
    { maxFrameBytes: MAX },
  )
  const opens: Record<string, number> = {}
  const connections = names.map((name): Connection => {
    const connection = connect(`${transport === LongPoll ? url.replace("ws", "http") : url}/socket`, {
      transport,
      params: { name, client: "another" },
    })
    onTestFinished(() => connection.disconnect())
    opens[name] = 0
    connection.onStatus((status) => {
      if (status === "open") opens[name]!++
    })
    return connection
  })
  return { connections, opens }
}

describe.each([
  ["a WebSocket", WebSocket as unknown as Transport, 1009],
  // phoenix.js's `LongPoll` reports whatever fails with this code.
  ["long polling", LongPoll, 1011],
])("over %s", (_name, transport, code) => {
  it.each([
    ["that is the only one", [], []],
    ["that comes after others", ["1", "2", "3"], []],
    ["that comes before others", [], ["1", "2", "3"]],
    ["that comes among others", ["1", "2"], ["3", "4"]],
  ])(
    "a join that closes the connection again and again, %s, closes its room with the code; the others are live",
    async (_name, before, after) => {
      const { connections, opens } = await setup(["ada"], transport)
      const [connection] = connections as [Connection]
      const open = (id: string) => connection.room(`rooms:${id}`)
      const others = before.map(open)
      const bad = connection.room("rooms:bad", big)
      others.push(...after.map(open))
      await expect(bad.joined).rejects.toMatchObject({
        code: "join_rejected",
        reason: { code },
        message: expect.stringContaining(String(code)),
      })
      expect([bad.status, bad.reason?.code]).toEqual(["closed", "rejected"])
      await expect.poll(() => others.map(({ status }) => status)).toEqual(others.map(() => "live"))
      expect(opens["ada"]).toBeLessThanOrEqual(4)
      // The topic can be joined again.
      await expect(connection.room("rooms:bad").joined).resolves.toEqual({})
    },
  )

  it("an update that closes the connection is dropped, and those of other rooms in flight with it are not", async () => {
    const { connections, opens } = await setup(["ada", "bob"], transport)
    const [ada, bob] = connections as [Connection, Connection]
    const rooms = ["1", "bad", "2"].map((id) => {
      const room = ada.room(`rooms:${id}`, {}, { updateThrottleMs: 0 })
      const errors: RollcallError[] = []
      room.onError((error) => errors.push(error))
      return { id, room, errors, seen: bob.room(`rooms:${id}`) }
    })
    await expect.poll(() => rooms.map(({ seen }) => seen.get("ada")?.metas.length)).toEqual([1, 1, 1])
    for (const { id, room } of rooms) room.update(id === "bad" ? big : { status: "in" })
    await expect
      .poll(() => rooms.map(({ errors }) => errors.map(({ code, reason }) => [code, reason])))
      .toEqual([[], [["update_rejected", code]], []])
    await expect
      .poll(() => rooms.map(({ room, seen }) => [room.status, seen.get("ada")?.metas.map((meta) => meta["status"])]))
      .toEqual([
        ["live", ["in"]],
        ["live", [undefined]],
        ["live", ["in"]],
      ])
    expect(opens).toEqual({ ada: 3, bob: 1 })
  })
})

test("a push that closes the connection is not sent again, and those that wait behind it are", async () => {
  const { connections, opens } = await setup(["ada"])
  const [connection] = connections as [Connection]
  const room = connection.room("rooms:1")
  const pushes = Array.from({ length: 300 }, (_, n) => room.push("echo", n === 150 ? big : { n }, 8000))
  const outcomes = await Promise.allSettled(pushes)
  expect(outcomes.at(150)).toMatchObject({ status: "rejected", reason: { code: "timeout" } })
  // At most a hundred were in flight with it.
  expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(200)
  expect(outcomes.at(-1)).toEqual({ status: "fulfilled", value: { n: 299 } })
  expect(opens["ada"]).toBe(2)
})

describe("a close for another reason", () => {
  function scripted() {
    const { transport, latest } = scriptedTransport()
    const timers = clock()
    const connection = connect("ws://example.test/socket", { transport, timers, reconnectAfterMs: () => 0 })
    onTestFinished(() => connection.disconnect())
    const again = async (code: number) => {
      const socket = latest()
      socket.drop(code)
      await expect.poll(() => latest() !== socket).toBe(true)
      latest().open()
    }
    const joins = (): Sent[] => latest().all("phx_join")
    return { connection, latest, again, joins, timers }
  }

  it.each([1000, 1001, 1006, 1012, 1013, 4403])("%i closes no room, however often it comes", async (code) => {
    const { connection, latest, again, joins } = scripted()
    const room = connection.room("rooms:1")
    latest().open()
    for (let n = 0; n < 4; n++) await again(code)
    latest().reply(joins()[0]!)
    await expect(room.joined).resolves.toEqual({})
  })

  it("in between, or an answer, makes a join innocent again", async () => {
    const { connection, latest, again, joins } = scripted()
    const room = connection.room("rooms:1")
    latest().open()
    await again(1011)
    latest().reply(joins()[0]!)
    await again(1011)
    expect(joins()).toHaveLength(1)
    await again(1011)
    await again(1006)
    await again(1011)
    expect([room.status, joins().length]).toEqual(["joining", 1])
  })

  it("in a row closes the room whose join was alone the second time, also if others have the same params", async () => {
    const { connection, latest, again, joins } = scripted()
    const params = { token: "t" }
    const [good, bad] = ["rooms:1", "rooms:2"].map((topic) => connection.room(topic, params))
    latest().open()
    await again(1011)
    latest().reply(joins()[0]!)
    await again(1011)
    latest().reply(joins()[0]!)
    await expect(bad!.joined).rejects.toMatchObject({ code: "join_rejected", reason: { code: 1011 } })
    expect([good!.status, bad!.status, joins().length]).toEqual(["joining", "closed", 1])
  })

  it("lets a hundred joins go out together again once those that were suspected are answered", async () => {
    const { connection, latest, again, joins } = scripted()
    for (let n = 0; n < 5; n++) connection.room(`rooms:${n}`)
    latest().open()
    expect(joins()).toHaveLength(5)
    await again(1011)
    for (let n = 1; n <= 5; n++) {
      expect(joins()).toHaveLength(n)
      latest().reply(joins()[n - 1]!)
    }
    for (let n = 5; n < 20; n++) connection.room(`rooms:${n}`)
    expect(joins()).toHaveLength(20)
  })

  it("sends no join that was left while it waited", async () => {
    const { connection, latest, again, joins, timers } = scripted()
    connection.room("rooms:1")
    const second = connection.room("rooms:2")
    connection.room("rooms:3")
    latest().open()
    await again(1011)
    second.leave()
    timers.advance(50)
    expect(latest().all("phx_leave")).toHaveLength(1)
    latest().reply(joins()[0]!)
    expect(joins().map(({ topic }) => topic)).toEqual(["rooms:1", "rooms:3"])
  })
})
