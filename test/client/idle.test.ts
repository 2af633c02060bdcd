/** When the connection is opened, and when it is closed because nobody needs it. */
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection, type ConnectOptions, type Room } from "../../src/client/index.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket, type Sent } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup(options: ConnectOptions = {}) {
  const { transport, sockets, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, random: () => 0.5, ...options })
  connections.push(connection)
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  return { connection, sockets, latest, statuses }
}

const passing = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

const answered = new WeakSet<Sent>()

function answerJoins(socket: ScriptedWebSocket): void {
  for (const join of socket.all("phx_join")) {
    if (answered.has(join)) continue
    answered.add(join)
    socket.reply(join)
    socket.receive(join.joinRef, null, join.topic, "presence_state", { ada: user("1") })
  }
}

/** Answers the joins, and every leave from now on. */
function serve(socket: ScriptedWebSocket): void {
  if (socket.readyState === 0) socket.open()
  answerJoins(socket)
  const send = socket.send.bind(socket)
  socket.send = (data) => {
    send(data)
    const sent = socket.sent.at(-1)!
    if (sent.event !== "phx_leave") return
    socket.reply(sent)
    socket.receive(sent.joinRef, sent.joinRef, sent.topic, "phx_close", {})
  }
}

const LINGER_MS = 50

describe("a connection", () => {
  it("makes no socket, asks for no params and sets no timer before the first room", async () => {
    const params = vi.fn(() => ({}))
    const { connection, sockets } = setup({ params })
    await passing(60_000)
    expect([connection.status, connection.reason, sockets.length, params.mock.calls.length]).toEqual([
      "idle",
      undefined,
      0,
      0,
    ])
    expect(vi.getTimerCount()).toBe(0)
    connection.room("rooms:1")
    expect([connection.status, sockets.length]).toEqual(["connecting", 1])
  })

  it("is opened when the application takes a channel of phoenix's socket, and by its connect()", () => {
    const taken = setup()
    taken.connection.socket.channel("rooms:1").join()
    taken.latest().open()
    expect(taken.latest().last("phx_join").topic).toBe("rooms:1")
    const dialed = setup()
    dialed.connection.socket.connect()
    dialed.latest().open()
    for (const { sockets, statuses } of [taken, dialed]) {
      expect([sockets.length, statuses]).toEqual([1, ["connecting", "open"]])
    }
  })

  it("is closed idleMs after the last room was left, leaves no timer, and is opened again with the next one", async () => {
    const { connection, sockets, latest, statuses } = setup({ idleMs: 500 })
    const first = connection.room("rooms:1")
    const second = connection.room("rooms:2")
    serve(latest())
    first.leave()
    await passing(5000)
    second.leave()
    await passing(LINGER_MS + 499)
    expect([connection.status, latest().readyState]).toEqual(["open", 1])
    await passing(1)
    expect([connection.status, latest().readyState, sockets.length]).toEqual(["idle", 3, 1])
    await passing(60_000)
    expect([vi.getTimerCount(), sockets.length]).toEqual([0, 1])
    const third = connection.room("rooms:1")
    serve(latest())
    expect([third.status, third.size, sockets.length]).toEqual(["live", 1, 2])
    expect(statuses).toEqual(["connecting", "open", "idle", "connecting", "open"])
  })

  it("is closed after ten seconds if idleMs is not given, and with the linger if it is 0", async () => {
    for (const [idleMs, wait] of [
      [undefined, 10_000],
      // The least that a timer waits.
      [0, 1],
    ] as const) {
      const { connection, latest } = setup({ idleMs })
      const room = connection.room("rooms:1")
      serve(latest())
      room.leave()
      await passing(LINGER_MS + wait - 1)
      expect(connection.status).toBe("open")
      await passing(1)
      expect(connection.status).toBe("idle")
    }
  })

  it("stays open if a room is taken in time, also the same one, and while one is held", async () => {
    const { connection, sockets, latest } = setup({ idleMs: 500 })
    for (const topic of ["rooms:1", "rooms:1", "rooms:2"]) {
      const room = connection.room(topic)
      serve(latest())
      await passing(5000)
      room.leave()
      await passing(LINGER_MS + 400)
    }
    expect([connection.status, sockets.length]).toEqual(["open", 1])
  })

  it("stays open for a room that waits for the end of its former join", async () => {
    const { connection, latest } = setup({ idleMs: 500 })
    const room = connection.room("rooms:1")
    latest().open()
    latest().reply(latest().last("phx_join"))
    room.leave()
    await passing(LINGER_MS)
    latest().reply(latest().last("phx_leave"))
    connection.room("rooms:1")
    await passing(2_900)
    expect([connection.status, latest().all("phx_join").length]).toEqual(["open", 1])
    await passing(100)
    expect([connection.status, latest().all("phx_join").length]).toEqual(["open", 2])
  })

  it("is closed in time also if it broke and came back after the last room was left", async () => {
    const { connection, sockets, latest } = setup({ idleMs: 500 })
    const room = connection.room("rooms:1")
    serve(latest())
    room.leave()
    await passing(LINGER_MS + 400)
    latest().drop()
    await passing(10)
    latest().open()
    expect([connection.status, sockets.length]).toEqual(["open", 2])
    await passing(90)
    expect([connection.status, latest().readyState]).toEqual(["idle", 3])
  })

  it("stays open for the channels of the application, until they are left", async () => {
    const { connection, latest } = setup({ idleMs: 500 })
    const channel = connection.socket.channel("other:1")
    channel.join()
    const room = connection.room("rooms:1")
    serve(latest())
    room.leave()
    await passing(60_000)
    expect(connection.status).toBe("open")
    channel.leave()
    await passing(500)
    expect(connection.status).toBe("idle")
  })

  it("counts a room that the server has closed, or whose join it has refused, as left", async () => {
    const closed = setup({ idleMs: 500 })
    closed.connection.room("rooms:1")
    serve(closed.latest())
    const { joinRef } = closed.latest().last("phx_join")
    closed.latest().receive(joinRef, joinRef, "rooms:1", "phx_close", {})
    const refused = setup({ idleMs: 500 })
    refused.connection.room("rooms:1")
    refused.latest().open()
    refused.latest().reply(refused.latest().last("phx_join"), { reason: "members only" }, "error")
    await passing(500)
    // A refused channel is left, too, which the server need not answer.
    await passing(10_000)
    expect([closed.connection.status, refused.connection.status]).toEqual(["idle", "idle"])
  })

  it("gives up its attempts when the last room is left, and forgets a refusal", async () => {
    const { connection, sockets, latest } = setup({ idleMs: 500 })
    const room = connection.room("rooms:1")
    latest().open()
    latest().receive(null, null, "phoenix", "rollcall", { refused: "token_expired" })
    latest().drop(4403)
    expect(connection.status).toBe("refused")
    room.leave()
    await passing(LINGER_MS + 500)
    expect([connection.status, connection.reason]).toEqual(["idle", undefined])
    await passing(3_600_000)
    expect(sockets).toHaveLength(1)
    expect(connection.room("rooms:1").status).toBe("joining")
    expect(connection.status).toBe("connecting")
  })

  it("may be paused and resumed while it is idle, and is then still idle", async () => {
    const { connection, sockets, statuses } = setup({ idleMs: 500 })
    connection.pause()
    connection.resume()
    connection.pause()
    const room = connection.room("rooms:1")
    expect([room.reason?.code, sockets.length]).toEqual(["paused", 0])
    connection.resume()
    expect([statuses, sockets.length]).toEqual([["paused", "idle", "paused", "connecting"], 1])
  })

  it("is idle after a pause in which the last room was left", async () => {
    const { connection, sockets, latest } = setup({ idleMs: 500 })
    const room = connection.room("rooms:1")
    serve(latest())
    connection.pause()
    room.leave()
    await passing(60_000)
    expect([connection.status, vi.getTimerCount()]).toEqual(["paused", 0])
    connection.resume()
    expect([connection.status, sockets.length]).toEqual(["idle", 1])
    connection.room("rooms:1")
    expect(sockets).toHaveLength(2)
  })

  it("does not become idle after disconnect()", async () => {
    const { connection, latest, statuses } = setup({ idleMs: 500 })
    const room = connection.room("rooms:1")
    serve(latest())
    room.leave()
    await passing(LINGER_MS)
    connection.disconnect()
    await passing(60_000)
    expect([statuses, vi.getTimerCount()]).toEqual([["connecting", "open", "closed"], 0])
  })
})

it("has a socket if and only if a room is held or was a moment ago, and no timer if not, whatever is called", async () => {
  const step = fc.constantFrom(
    "take 1",
    "take 2",
    "leave 1",
    "leave 2",
    "pause",
    "resume",
    "drop",
    "wait 100",
    "wait 700",
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      vi.clearAllTimers()
      const { connection, sockets, latest } = setup({ idleMs: 500, timeout: 1000 })
      const held = new Map<string, Room[]>([
        ["1", []],
        ["2", []],
      ])
      const settle = async (ms: number): Promise<void> => {
        for (let passed = 0; passed <= ms; passed += 50) {
          const socket = sockets.at(-1)
          if (socket?.readyState === 0) serve(socket)
          else if (socket) answerJoins(socket)
          await passing(50)
        }
      }
      for (const [what = "", which = ""] of steps.map((each) => each.split(" "))) {
        if (what === "take") held.get(which)!.push(connection.room(`rooms:${which}`))
        else if (what === "leave") held.get(which)!.pop()?.leave()
        else if (what === "pause") connection.pause()
        else if (what === "resume") connection.resume()
        else if (what === "drop") latest()?.drop()
        else await settle(Number(which))
      }
      connection.resume()
      await settle(15_000)
      const rooms = Array.from(held.values(), ([room]) => room?.status).filter(Boolean)
      const open = sockets.filter(({ readyState }) => readyState !== 3).length
      if (rooms.length > 0) {
        expect([connection.status, new Set(rooms), open]).toEqual(["open", new Set(["live"]), 1])
      } else expect([connection.status, open, vi.getTimerCount()]).toEqual(["idle", 0, 0])
      connection.disconnect()
    }),
    { numRuns: Number(process.env["RUNS"] ?? 100) },
  )
})
