/** A room that is joined, and whose topic sends no state. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection, type RollcallError, type RoomOptions } from "../../src/client/index.ts"
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
  const errors: RollcallError[] = []
  room.onError((error) => errors.push(error))
  const accept = () => latest().reply(latest().last("phx_join"))
  const state = () =>
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
  const drop = async () => {
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    latest().open()
  }
  latest().open()
  accept()
  return { connection, room, timers, errors, latest, accept, state, drop }
}

describe("a room without a state", () => {
  it("reports no_state once, and goes on waiting", () => {
    const { room, timers, errors, state } = setup()
    timers.advance(9_999)
    expect(errors).toEqual([])
    timers.advance(1)
    expect(errors).toMatchObject([{ code: "no_state", message: expect.stringMatching(/rooms:1.*10000 ms.*track/) }])
    timers.advance(60_000)
    expect([errors.length, room.status]).toEqual([1, "joining"])
    state()
    expect(room.status).toBe("live")
  })

  it("reports it once, too, if nothing has answered at all since the room was asked for", () => {
    const { transport } = scriptedTransport()
    const timers = clock()
    const connection = connect("ws://example.test/socket", { transport, timers })
    connections.push(connection)
    const errors: RollcallError[] = []
    connection.room("rooms:1").onError((error) => errors.push(error))
    timers.advance(9_999)
    expect(errors).toEqual([])
    timers.advance(5_000)
    const message = expect.stringMatching(/rooms:1.*10000 ms.*not joined: no answer. Check the URL/)
    expect(errors).toMatchObject([{ code: "no_state", message }])
  })

  it("reports it, too, if the join times out in the same moment", async () => {
    const { transport } = scriptedTransport()
    const connection = connect("ws://example.test/socket", { transport })
    connections.push(connection)
    const room = connection.room("rooms:1")
    const errors: RollcallError[] = []
    room.onError((error) => errors.push(error))
    const ready = expect(room.ready).rejects.toThrow("no answer. Check the URL")
    await vi.advanceTimersByTimeAsync(15_000)
    await ready
    expect(room.reason).toMatchObject({ code: "timeout" })
    const message = expect.stringMatching(/rooms:1.*not joined: no answer. Check the URL/)
    expect(errors.filter(({ code }) => code === "no_state")).toMatchObject([{ message }])
  })

  it("reports it also after a rejoin, once the timeout has passed since that rejoin", async () => {
    const { timers, errors, state, accept, drop } = setup({ readyTimeoutMs: 500 })
    state()
    timers.advance(400)
    await drop()
    timers.advance(100)
    accept()
    timers.advance(499)
    expect(errors).toEqual([])
    timers.advance(1)
    expect(errors).toMatchObject([{ code: "no_state" }])
    await drop()
    accept()
    timers.advance(60_000)
    expect(errors).toHaveLength(1)
  })

  it("reports nothing while the connection is down, after the room is left, and with readyTimeoutMs: 0", () => {
    const cut = setup()
    cut.latest().drop()
    const left = setup()
    left.room.leave()
    const off = setup({ readyTimeoutMs: 0 })
    for (const { timers, errors } of [cut, left, off]) {
      timers.advance(60_000)
      expect(errors).toEqual([])
    }
  })

  it("logs it to the console if nobody listens", () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {})
    const { connection, timers, latest } = setup()
    connection.room("rooms:2")
    latest().reply(latest().last("phx_join"))
    timers.advance(10_000)
    expect(log).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: "no_state" }))
    log.mockRestore()
  })
})
