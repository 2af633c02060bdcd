/** `connection.pause()` and `resume()`. */
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { connect, type Connection, type Signal } from "../../src/client/index.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket, type Sent } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup() {
  const { transport, sockets, latest } = scriptedTransport()
  let notify: (signal: Signal) => void = () => undefined
  const connection = connect("ws://example.test/socket", {
    transport,
    signals: (given) => {
      notify = given
      return () => (notify = () => undefined)
    },
  })
  connections.push(connection)
  return { connection, sockets, latest, signal: (given: Signal) => notify(given) }
}

const lastOf = (joins: readonly Sent[]): Sent => joins.at(-1)!

function goLive(socket: ScriptedWebSocket, topic = "rooms:1"): void {
  if (socket.readyState === 0) socket.open()
  const join = lastOf(socket.all("phx_join").filter((sent) => sent.topic === topic))
  socket.reply(join)
  socket.receive(join.joinRef, null, topic, "presence_state", { ada: user("1") })
}

function live() {
  const all = setup()
  const room = all.connection.room<{ status: string }>("rooms:1")
  goLive(all.latest())
  return { ...all, room }
}

const HOUR_MS = 3_600_000
const passing = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

it("closes the connection and makes no attempt; rooms keep their views, stale with the reason paused", async () => {
  const { connection, room, sockets, latest, signal } = live()
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  const reasons: unknown[] = []
  room.subscribe(() => reasons.push(room.reason?.code))
  connection.pause()
  connection.pause()
  expect([connection.status, room.status, room.reason?.code, room.size]).toEqual(["paused", "stale", "paused", 1])
  expect(latest().readyState).toBe(3)
  for (const given of ["offline", "online", "awake"] as const) signal(given)
  await passing(HOUR_MS)
  expect(sockets).toHaveLength(1)
  expect([statuses, reasons]).toEqual([["paused"], ["paused"]])
})

it("resume connects at once and joins the rooms again", async () => {
  const { connection, room, sockets, latest } = live()
  const [before] = room.list()
  connection.pause()
  await passing(HOUR_MS)
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  connection.resume()
  connection.resume()
  expect([sockets.length, connection.status, room.status, room.reason?.code]).toEqual([
    2,
    "reconnecting",
    "stale",
    "disconnected",
  ])
  goLive(latest())
  expect([connection.status, room.status, statuses]).toEqual(["open", "live", ["reconnecting", "open"]])
  expect(room.list()[0]).toBe(before)
})

it("a room that is asked for while paused is joined after resume, with the updates and pushes that waited", async () => {
  const { connection, latest } = live()
  connection.pause()
  const room = connection.room<{ status: string }>("rooms:2")
  expect([room.status, room.reason?.code]).toEqual(["joining", "paused"])
  room.update({ status: "busy" })
  const answer = room.push("shout", { text: "hello" })
  await passing(HOUR_MS)
  expect([room.status, room.reason?.code]).toEqual(["joining", "paused"])
  connection.resume()
  latest().open()
  goLive(latest(), "rooms:2")
  expect(room.status).toBe("live")
  expect(latest().last("presence_update").payload).toEqual({ meta: { status: "busy" } })
  latest().reply(latest().last("shout"), { heard: true })
  expect(await answer).toEqual({ heard: true })
})

it("an update in flight when the connection is paused is sent again after resume, however often", async () => {
  const { connection, room, latest } = live()
  const failed: unknown[] = []
  room.onError((error) => failed.push(error))
  room.update({ status: "busy" })
  for (let time = 0; time < 3; time += 1) {
    connection.pause()
    connection.resume()
    goLive(latest())
    await passing(100)
    expect(latest().last("presence_update").payload).toEqual({ meta: { status: "busy" } })
  }
  expect(failed).toEqual([])
})

it("works before the connection is open", async () => {
  const { connection, sockets, latest } = setup()
  const room = connection.room("rooms:1")
  connection.pause()
  await passing(HOUR_MS)
  expect([sockets.length, connection.status, room.status, room.reason?.code]).toEqual([
    1,
    "paused",
    "joining",
    "paused",
  ])
  connection.resume()
  expect([sockets.length, connection.status]).toEqual([2, "connecting"])
  goLive(latest())
  expect([connection.status, room.status]).toEqual(["open", "live"])
  expect(latest().all("phx_join")).toHaveLength(1)
})

it("works between two attempts to connect", async () => {
  const { connection, room, sockets, latest } = live()
  latest().drop()
  connection.pause()
  expect([room.status, room.reason?.code]).toEqual(["stale", "paused"])
  await passing(HOUR_MS)
  expect(sockets).toHaveLength(1)
})

it("a room that the server closes while the connection still sends what it has buffered is closed", async () => {
  const { connection, room, latest } = live()
  const { joinRef } = latest().last("phx_join")
  latest().bufferedAmount = 1
  connection.pause()
  latest().receive(joinRef, joinRef, "rooms:1", "phx_close", {})
  expect([room.status, room.reason?.code]).toEqual(["closed", "kicked"])
})

it("disconnect while paused is final, and so is pause after disconnect", async () => {
  const { connection, room, sockets } = live()
  connection.pause()
  connection.disconnect()
  expect([connection.status, room.status, room.reason?.code]).toEqual(["closed", "closed", "left"])
  connection.resume()
  connection.pause()
  await passing(HOUR_MS)
  expect([connection.status, sockets.length, vi.getTimerCount()]).toEqual(["closed", 1, 0])
  expect(() => connection.room("rooms:1")).toThrow(expect.objectContaining({ code: "closed" }))
})

it("a room that is left while paused is not joined again", async () => {
  const { connection, room, sockets, latest } = live()
  connection.pause()
  room.leave()
  await passing(HOUR_MS)
  connection.resume()
  expect([room.status, connection.status, sockets.length]).toEqual(["closed", "idle", 1])
  connection.room("rooms:2")
  latest().open()
  expect(latest().sent).toMatchObject([{ event: "phx_join", topic: "rooms:2" }])
})

it.each(["room", "status"])("a %s listener may resume at once, or pause again", async (what) => {
  const { connection, room, sockets, latest } = live()
  const act = vi.fn<() => void>(() => {
    if (act.mock.calls.length > 2) return
    if (connection.status === "paused") connection.resume()
    else connection.pause()
  })
  if (what === "room") room.subscribe(act)
  else connection.onStatus(act)
  connection.pause()
  await passing(HOUR_MS)
  // Paused, resumed by the first call, and paused again by the second one.
  expect([connection.status, room.status, room.reason?.code]).toEqual(["paused", "stale", "paused"])
  const attempts = sockets.length
  connection.resume()
  expect(sockets).toHaveLength(attempts + 1)
  goLive(latest())
  expect([connection.status, room.status]).toEqual(["open", "live"])
})

it("a listener may pause when the connection is given up as dead", async () => {
  const { connection, sockets, latest } = live()
  connection.onStatus((status) => status === "reconnecting" && connection.pause())
  latest().deaf = true
  await passing(HOUR_MS)
  expect([connection.status, sockets.length]).toEqual(["paused", 1])
})
