/** Heartbeats, probes, and what the page says about the network: a connection that is dead is noticed and replaced. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, type ConnectOptions, type Connection, type Signal } from "../../src/client/index.ts"
import { systemTimers, type Timers } from "../../src/timers.ts"
import { clock } from "../support/clock.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

beforeEach(() => void vi.useFakeTimers())

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

/** A connection with one room, which the test joins, and with signals that the test gives. */
function setup(options: ConnectOptions = {}) {
  const { transport, sockets, latest } = scriptedTransport()
  let notify: (signal: Signal) => void = () => undefined
  const undo = vi.fn()
  const signals: ConnectOptions["signals"] = (given) => {
    notify = given
    return undo
  }
  const connection = connect("ws://example.test/socket", { transport, signals, ...options })
  connections.push(connection)
  const room = connection.room<{ status: string }>("rooms:1")
  const seen: string[] = []
  room.subscribe(() => seen.push(room.status))
  connection.onStatus((status) => seen.push(`connection ${status}`))
  return { connection, room, sockets, latest, seen, undo, signal: (given: Signal) => notify(given) }
}

function goLive(socket: ScriptedWebSocket): void {
  socket.open()
  const join = socket.last("phx_join")
  socket.reply(join)
  socket.receive(join.joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
}

function live(options?: ConnectOptions) {
  const all = setup(options)
  goLive(all.latest())
  all.seen.length = 0
  return all
}

const passing = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const heartbeats = (socket: ScriptedWebSocket): number => socket.all("heartbeat").length

describe("a heartbeat", () => {
  it("is sent every 15 seconds", async () => {
    const { latest, sockets } = live()
    await passing(14_999)
    expect(heartbeats(latest())).toBe(0)
    await passing(1)
    expect(heartbeats(latest())).toBe(1)
    await passing(45_000)
    expect([heartbeats(latest()), sockets.length]).toEqual([4, 1])
  })

  it("is sent every heartbeatIntervalMs, and must be answered within that time", async () => {
    const { latest, sockets } = live({ heartbeatIntervalMs: 3_000 })
    await passing(3_000)
    expect(heartbeats(latest())).toBe(1)
    latest().deaf = true
    await passing(5_999)
    expect(sockets).toHaveLength(1)
    await passing(1)
    expect(sockets).toHaveLength(2)
  })

  it("that is not answered within 10 seconds makes the rooms stale, and another connection is opened at once", async () => {
    const { connection, room, latest, sockets, seen } = live()
    latest().deaf = true
    await passing(24_999)
    expect([room.status, sockets.length]).toEqual(["live", 1])
    await passing(1)
    expect(seen).toEqual(["connection reconnecting", "stale"])
    expect(room.reason).toEqual({ code: "disconnected", detail: "heartbeat_timeout" })
    expect(sockets).toHaveLength(2)
    goLive(latest())
    expect([room.status, room.reason, connection.status]).toEqual(["live", undefined, "open"])
    await passing(60_000)
    expect(sockets).toHaveLength(2)
  })

  it("that has no answer when the connection is lost hastens no attempt", async () => {
    const { latest, signal, sockets } = live({ reconnectAfterMs: () => 60_000 })
    latest().deaf = true
    signal("awake")
    latest().drop()
    await passing(59_999)
    expect(sockets).toHaveLength(1)
    await passing(1)
    expect(sockets).toHaveLength(2)
  })

  it("that is not answered is noticed without rooms, too", async () => {
    const { connection, room, latest, sockets } = setup({ idleMs: 60_000 })
    room.leave()
    latest().open()
    latest().deaf = true
    await passing(25_000)
    expect([connection.status, sockets.length]).toEqual(["reconnecting", 2])
  })

  it("is not sent over a transport that needs none, such as long polls", async () => {
    const { latest } = live()
    Object.assign(latest(), { skipHeartbeat: true })
    await passing(60_000)
    expect(heartbeats(latest())).toBe(0)
  })

  it("is not slowed in a hidden page, whose timers browsers slow if five are a chain, each set by the one before", async () => {
    let depth = 0
    let deepest = 0
    const timers: Timers = {
      ...systemTimers,
      set(run, ms) {
        const own = depth + 1
        deepest = Math.max(deepest, own)
        return systemTimers.set(() => {
          depth = own
          run()
          depth = 0
        }, ms)
      },
    }
    const { latest } = live({ timers })
    latest().deaf = true
    for (let sent = 1; sent <= 4; sent += 1) {
      await passing(15_000)
      expect(heartbeats(latest())).toBe(sent)
      latest().reply(latest().last("heartbeat"))
    }
    expect(deepest).toBeLessThan(5)
  })

  it("goes on when the wall clock is set back", async () => {
    const { latest } = live()
    vi.setSystemTime(Date.now() - 3_600_000)
    await passing(15_000)
    expect(heartbeats(latest())).toBeGreaterThan(0)
  })
})

describe("a page that comes to the front", () => {
  it("sends a heartbeat at once, and stays live when it is answered", async () => {
    const { latest, signal, seen, sockets } = live()
    signal("awake")
    expect(heartbeats(latest())).toBe(1)
    await passing(10_000)
    expect([seen, sockets.length]).toEqual([[], 1])
  })

  it("gets another connection at once when the heartbeat is not answered within 3 seconds", async () => {
    const { room, latest, signal, sockets } = live()
    latest().deaf = true
    signal("awake")
    await passing(2_000)
    // A further signal does not extend the time.
    signal("awake")
    await passing(999)
    expect([room.status, sockets.length]).toEqual(["live", 1])
    await passing(1)
    expect([room.status, sockets.length]).toEqual(["stale", 2])
  })

  it("does not wait for the answer to the heartbeat that is under way", async () => {
    const { latest, signal, sockets } = live()
    latest().deaf = true
    await passing(16_000)
    signal("awake")
    await passing(3_000)
    expect(sockets).toHaveLength(2)
  })

  it("connects at once if the connection was lost", async () => {
    const { latest, signal, sockets } = live({ reconnectAfterMs: () => 5_000 })
    latest().drop()
    signal("awake")
    expect(sockets).toHaveLength(2)
    // The attempt goes on; the one that was planned is not made.
    signal("awake")
    await passing(10_000)
    expect(sockets).toHaveLength(2)
  })
})

describe("a device that has slept", () => {
  it("sends a heartbeat within 5 seconds, although timers stood still, and waits 3 seconds for the answer", async () => {
    const { room, latest, sockets } = live()
    await passing(6_000)
    latest().deaf = true
    vi.setSystemTime(Date.now() + 3_600_000)
    await passing(4_000)
    expect(heartbeats(latest())).toBe(1)
    await passing(3_000)
    expect([room.status, sockets.length]).toEqual(["stale", 2])
  })
})

describe("offline", () => {
  it("makes rooms stale at once; a connection that still works is live again within 2 seconds, without a new join", async () => {
    const { connection, room, latest, signal, seen, sockets } = live()
    const before = room.list()
    signal("offline")
    expect(seen).toEqual(["stale", "connection reconnecting"])
    expect(room.reason).toEqual({ code: "disconnected", detail: "offline" })
    await passing(2_000)
    expect(seen).toEqual(["stale", "connection reconnecting", "connection open", "live"])
    expect([connection.status, room.reason, room.list()]).toEqual(["open", undefined, before])
    expect([sockets.length, latest().all("phx_join").length]).toEqual([1, 1])
  })

  it("keeps the rooms in step while they are stale", async () => {
    const { room, latest, signal } = live()
    signal("offline")
    latest().receive(null, null, "rooms:1", "presence_diff", { joins: { bob: user("2") }, leaves: {} })
    expect([room.status, room.size]).toEqual(["stale", 2])
    await passing(1_000)
    expect([room.status, room.size]).toEqual(["live", 2])
  })

  it("keeps a room live that gets its state meanwhile", async () => {
    const { room, latest, signal } = live()
    signal("offline")
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "presence_state", { bob: user("2") })
    await passing(1_000)
    expect([room.status, room.list((key) => key)]).toEqual(["live", ["bob"]])
  })

  it("on a dead connection is followed by no attempt until online, and then by one at once", async () => {
    const { connection, room, latest, signal, sockets } = live()
    latest().deaf = true
    signal("offline")
    await passing(45_000)
    expect([sockets.length, room.status, connection.status]).toEqual([1, "stale", "reconnecting"])
    signal("online")
    expect(sockets).toHaveLength(2)
    goLive(latest())
    expect([room.status, connection.status]).toEqual(["live", "open"])
  })

  it("followed soon by online: the connection is probed, and replaced if it is dead", async () => {
    const { room, latest, signal, sockets } = live()
    latest().deaf = true
    signal("offline")
    await passing(500)
    signal("online")
    await passing(3_000)
    expect([room.status, sockets.length]).toEqual(["stale", 2])
  })

  it.each([
    ["closes with it", 0],
    ["closes before", -1],
  ])("makes no attempt when the connection %s", async (_, order) => {
    const { latest, signal, sockets } = live()
    if (order < 0) latest().drop()
    signal("offline")
    if (order === 0) latest().drop()
    await passing(50_000)
    expect(sockets).toHaveLength(1)
    signal("online")
    expect(sockets).toHaveLength(2)
    // The delays begin anew.
    latest().drop()
    await passing(20)
    expect(sockets).toHaveLength(3)
  })

  it("is only a hint: once a minute an attempt is made, and if it succeeds, others follow as usual", async () => {
    const { connection, latest, signal, sockets } = live()
    latest().drop()
    signal("offline")
    await passing(65_000)
    expect(sockets).toHaveLength(2)
    latest().drop()
    await passing(65_000)
    expect(sockets).toHaveLength(3)
    goLive(latest())
    expect(connection.status).toBe("open")
    latest().drop()
    await passing(20)
    expect(sockets).toHaveLength(4)
  })

  it("online starts an attempt anew that began while the network was away", async () => {
    const { signal, sockets } = setup()
    signal("offline")
    signal("online")
    expect(sockets).toHaveLength(2)
    // It goes on when the network, which was not away, is reported again.
    signal("online")
    expect(sockets).toHaveLength(2)
  })
})

describe("a refused connection", () => {
  it("is tried again at once when the page comes to the front, and stays refused meanwhile", () => {
    const { connection, room, latest, signal, sockets } = live()
    latest().receive(null, null, "phoenix", "rollcall", { refused: "token_expired" })
    latest().drop(4403)
    expect([connection.status, room.reason?.code]).toEqual(["refused", "refused"])
    signal("awake")
    expect([sockets.length, connection.status, room.reason?.code]).toEqual([2, "refused", "refused"])
  })

  it("is not tried again after onRefused: stop, whatever happens", async () => {
    const { connection, latest, signal, sockets } = live({ onRefused: "stop" })
    latest().receive(null, null, "phoenix", "rollcall", { refused: "token_expired" })
    latest().drop(4403)
    for (const given of ["awake", "offline", "online"] as const) signal(given)
    connection.pause()
    connection.resume()
    await passing(120_000)
    expect([sockets.length, connection.status]).toEqual([1, "refused"])
  })
})

describe("an update on a dead connection", () => {
  it("is sent again as often as connections die, and the value last given wins", async () => {
    const { room, latest, signal } = live()
    const failed: unknown[] = []
    room.onError((error) => failed.push(error))
    room.update({ status: "busy" })
    latest().reply(latest().last("presence_update"))
    await passing(200)
    room.update({ status: "away" })
    for (let deaths = 0; deaths < 3; deaths += 1) {
      latest().deaf = true
      signal("awake")
      await passing(3_000)
      goLive(latest())
      expect(latest().last("presence_update").payload).toEqual({ meta: { status: "away" } })
    }
    room.update({ status: "back" })
    latest().deaf = true
    signal("awake")
    await passing(3_000)
    goLive(latest())
    expect(latest().last("presence_update").payload).toEqual({ meta: { status: "back" } })
    expect(failed).toEqual([])
  })
})

describe("the signals", () => {
  it("end with the connection, and so do all timers", async () => {
    const { connection, undo, latest, sockets, signal } = live()
    signal("awake")
    signal("offline")
    connection.disconnect()
    expect(undo).toHaveBeenCalledOnce()
    await passing(3_000)
    expect(vi.getTimerCount()).toBe(0)
    signal("online")
    expect([sockets.length, latest().readyState]).toEqual([1, 3])
  })

  it("and timers end, too, when a listener disconnects on the answer to a heartbeat", async () => {
    const { connection, signal } = live()
    connection.onStatus((status) => status === "open" && connection.disconnect())
    signal("offline")
    await passing(1_000)
    expect(connection.status).toBe("closed")
    await passing(3_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  it("and timers end, too, when the params of a room disconnect", async () => {
    const timers = clock()
    const { connection, latest } = setup({ timers })
    connection.room("rooms:2", () => {
      connection.disconnect()
      return {}
    })
    latest().open()
    expect([connection.status, latest().readyState]).toEqual(["closed", 3])
    timers.advance(3_000)
    expect(timers.pending).toBe(0)
  })

  it("are those of the page by default", async () => {
    const page = Object.assign(new EventTarget(), { document: { visibilityState: "visible" } })
    vi.stubGlobal("window", page)
    const { room, latest, sockets, connection } = live({ signals: undefined })
    const tell = (type: string): unknown => page.dispatchEvent(new Event(type))
    tell("visibilitychange")
    tell("pageshow")
    expect(heartbeats(latest())).toBe(2)
    page.document.visibilityState = "hidden"
    tell("visibilitychange")
    expect(heartbeats(latest())).toBe(2)
    tell("offline")
    expect(room.status).toBe("stale")
    tell("online")
    expect([room.status, heartbeats(latest())]).toEqual(["live", 3])
    connection.disconnect()
    tell("online")
    expect(sockets).toHaveLength(1)
  })
})
