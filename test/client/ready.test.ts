/** `room.ready`: the promise of a room's first view. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, JoinRejected, type Connection, type RoomOptions } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup(options: RoomOptions = {}) {
  const { transport, latest } = scriptedTransport()
  const timers = clock()
  const connection = connect("ws://example.test/socket", { transport, timers, reconnectAfterMs: () => 10 })
  connections.push(connection)
  const room = connection.room("rooms:1", {}, options)
  room.onError(() => {})
  const accept = () => latest().reply(latest().last("phx_join"))
  const state = (users: object) =>
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "presence_state", users)
  return { connection, room, timers, latest, accept, state }
}

/** What a promise has come to by now. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  const pending = Promise.resolve("pending")
  await pending
  return Promise.race([promise, pending]).catch((error: { code: string }) => error.code)
}

describe("room.ready", () => {
  it("resolves with the first view, not with the join", async () => {
    const { room, latest, accept, state } = setup()
    const { ready } = room
    latest().open()
    accept()
    expect(await outcome(ready)).toBe("pending")
    state({ ada: user("1"), bob: user("2") })
    expect(await ready).toMatchObject({ size: 2, status: "live", users: [{ key: "ada" }, { key: "bob" }] })
    expect(room.ready).toBe(ready)
  })

  it("resolves with an empty view of an empty topic, and with the current one if it is first read later", async () => {
    const { room, latest, accept, state } = setup()
    latest().open()
    accept()
    state({})
    const now = room.getSnapshot()
    expect(await room.ready).toBe(now)
    expect(now.size).toBe(0)
  })

  it("has resolved when a listener closes the room because of the first view", async () => {
    const { room, latest, accept, state } = setup()
    const { ready } = room
    room.subscribe(() => room.leave())
    latest().open()
    accept()
    state({ ada: user("1") })
    expect(await ready).toMatchObject({ size: 1 })
  })

  it.each([true, false])("rejects with no_state if no view comes after the join (read before: %s)", async (isEarly) => {
    const { room, timers, latest, accept } = setup({ readyTimeoutMs: 500 })
    const early = isEarly ? room.ready : undefined
    latest().open()
    accept()
    timers.advance(499)
    if (early) expect(await outcome(early)).toBe("pending")
    timers.advance(1)
    await expect(early ?? room.ready).rejects.toMatchObject({
      code: "no_state",
      message: expect.stringMatching(/rooms:1.*500 ms.*track/),
    })
  })

  it("rejects with no_state and the reason if the room is not joined in time", async () => {
    const { room, timers, latest } = setup({ readyTimeoutMs: 500 })
    const { ready } = room
    latest().drop()
    latest().open()
    timers.advance(500)
    await expect(ready).rejects.toMatchObject({ code: "no_state", message: expect.stringMatching(/not joined/) })
  })

  it("is a new promise if a view comes after the rejection", async () => {
    const { room, timers, latest, accept, state } = setup({ readyTimeoutMs: 500 })
    timers.advance(500)
    const rejected = room.ready
    expect(await outcome(rejected)).toBe("no_state")
    expect(room.ready).toBe(rejected)
    latest().open()
    accept()
    state({ ada: user("1") })
    expect(await room.ready).toMatchObject({ size: 1 })
  })

  it("never rejects with no_state if readyTimeoutMs is 0", async () => {
    const { room, timers, latest, accept } = setup({ readyTimeoutMs: 0 })
    const { ready } = room
    timers.advance(15_000)
    latest().open()
    accept()
    timers.advance(60_000)
    expect(await outcome(ready)).toBe("pending")
  })

  it("rejects with JoinRejected if the server refuses the join", async () => {
    const { room, latest } = setup()
    latest().open()
    latest().reply(latest().last("phx_join"), { reason: "members only" }, "error")
    await expect(room.ready).rejects.toSatisfy((error) => error instanceof JoinRejected)
  })

  it("rejects with closed if the room is left, or the connection closed, before", async () => {
    const left = setup()
    left.room.leave()
    const ended = setup()
    ended.connection.disconnect()
    for (const { room } of [left, ended]) expect(await outcome(room.ready)).toBe("closed")
  })

  it("resolves at once in a room that starts with the view of the former one", async () => {
    const { connection, room, latest, accept, state } = setup()
    latest().open()
    accept()
    state({ ada: user("1") })
    room.leave()
    expect(await outcome(connection.room("rooms:1").ready)).toMatchObject({ size: 1 })
  })

  it("resolves at once in a room that starts with the view of the former one, also if it is stale by then", async () => {
    const { connection, room, latest, accept, state } = setup()
    latest().open()
    accept()
    state({ ada: user("1") })
    latest().drop()
    room.leave()
    const next = connection.room("rooms:1")
    expect(next.status).toBe("stale")
    expect(await outcome(next.ready)).toMatchObject({ size: 1, status: "stale" })
  })

  it("stays resolved when the connection breaks", async () => {
    const { room, timers, latest, accept, state } = setup()
    latest().open()
    accept()
    state({ ada: user("1") })
    const { ready } = room
    latest().drop()
    timers.advance(60_000)
    expect([await ready, room.ready]).toEqual([expect.objectContaining({ size: 1 }), ready])
  })
})
