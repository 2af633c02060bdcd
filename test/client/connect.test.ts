/** `connect`: invalid arguments, the status of the connection, and the rooms on it. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { ConfigError, connect, type Connection } from "../../src/client/index.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

function setup() {
  vi.useFakeTimers()
  const { transport, sockets, latest } = scriptedTransport()
  let attempt = 0
  const connection = connect("ws://example.test/socket", {
    transport,
    params: () => ({ attempt: ++attempt }),
    random: () => 0.5,
  })
  connections.push(connection)
  return { connection, sockets, latest }
}

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

describe("connect", () => {
  it("connects with the first room, and calls a params function again for each attempt", async () => {
    const { connection, sockets, latest } = setup()
    expect(sockets).toEqual([])
    connection.room("rooms:1")
    expect(latest().url).toBe("ws://example.test/socket/websocket?attempt=1&vsn=2.0.0&client=rollcall/1")
    latest().open()
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    expect(sockets.map(({ url }) => /attempt=\d/.exec(url)?.[0])).toEqual(["attempt=1", "attempt=2"])
  })

  it("throws for an invalid URL", () => {
    const { transport } = scriptedTransport()
    for (const url of ["", undefined, "socket"])
      expect(() => connect(url as string, { transport })).toThrow(ConfigError)
  })

  it("throws for a transport that is no class, such as its name or a whole module", () => {
    for (const transport of ["websocket", { WebSocket: scriptedTransport().transport }]) {
      expect(() => connect("ws://example.test/socket", { transport: transport as never })).toThrow(ConfigError)
    }
  })

  it("throws for an invalid throttle or topic, and creates no room", () => {
    const { connection, sockets } = setup()
    for (const updateThrottleMs of [-1, Number.NaN, Infinity]) {
      expect(() => connection.room("rooms:1", {}, { updateThrottleMs })).toThrow(ConfigError)
    }
    for (const topic of ["", undefined]) expect(() => connection.room(topic as string)).toThrow(ConfigError)
    expect([sockets, connection.status]).toEqual([[], "idle"])
  })
})

describe("status", () => {
  it("goes from connecting to open, reconnecting, open and closed, and calls listeners until they are removed", async () => {
    const { connection, latest } = setup()
    const received: string[] = []
    expect(connection.status).toBe("idle")
    connection.room("rooms:1")
    expect(connection.status).toBe("connecting")
    connection.onStatus((status) => received.push(status))
    const undo = connection.onStatus((status) => received.push(`${status} too`))
    latest().open()
    undo()
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    latest().open()
    connection.disconnect()
    connection.disconnect()
    expect(received).toEqual(["open", "open too", "reconnecting", "open", "closed"])
    expect(connection.status).toBe("closed")
  })

  it("is reconnecting after an unanswered heartbeat, although a dead network sends no close event", async () => {
    const { connection, latest } = setup()
    connection.room("rooms:1")
    latest().open()
    latest().reply(latest().last("phx_join"))
    latest().deaf = true
    await vi.advanceTimersByTimeAsync(60_000)
    expect(connection.status).toBe("reconnecting")
    latest().open()
    expect(connection.status).toBe("open")
  })

  it("stays connecting until an attempt succeeds", async () => {
    const { connection, latest } = setup()
    connection.room("rooms:1")
    latest().drop()
    expect(connection.status).toBe("connecting")
  })
})

const join = ({ latest }: ReturnType<typeof setup>) => {
  latest().open()
  latest().reply(latest().last("phx_join"))
  latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
}

describe("room", () => {
  it("returns the same room for the same topic, which is left at the last leave", async () => {
    const all = setup()
    const { connection, latest } = all
    const first = connection.room("rooms:1")
    const second = connection.room("rooms:1")
    expect(second).toBe(first)
    join(all)
    first.leave()
    expect(first.status).toBe("live")
    second.leave()
    expect(first.status).toBe("closed")
    await vi.advanceTimersByTimeAsync(50)
    expect(latest().all("phx_leave")).toHaveLength(1)
    second.leave()
    const third = connection.room("rooms:1")
    expect(third).not.toBe(first)
    expect(third.status).toBe("joining")
    const { joinRef } = latest().last("phx_join")
    latest().receive(joinRef, joinRef, "rooms:1", "phx_close", {})
    expect(latest().all("phx_join")).toHaveLength(2)
  })

  it("calls a params function again for each join, so that it can return a fresh token", async () => {
    const { connection, latest } = setup()
    let join = 0
    connection.room("rooms:1", () => ({ join: ++join }))
    latest().open()
    latest().reply(latest().last("phx_join"))
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    latest().open()
    expect([join, latest().last("phx_join").payload]).toEqual([2, { join: 2 }])
  })

  it("returns a new room after the server closed the old one", () => {
    const all = setup()
    const first = all.connection.room("rooms:1")
    join(all)
    const { joinRef } = all.latest().last("phx_join")
    all.latest().receive(joinRef, joinRef, "rooms:1", "phx_close", {})
    expect(first.reason?.code).toBe("kicked")
    expect(all.connection.room("rooms:1")).not.toBe(first)
  })

  it("closes with the connection; asking for a room afterwards throws", () => {
    const all = setup()
    const room = all.connection.room("rooms:1")
    all.connection.room("rooms:1")
    join(all)
    all.connection.disconnect()
    expect([room.status, room.reason?.code, room.size]).toEqual(["closed", "left", 1])
    expect(() => all.connection.room("rooms:1")).toThrow(expect.objectContaining({ code: "closed" }))
  })
})

describe("import", () => {
  it("has no side effects: no listener, no timer, no global", async () => {
    // Simulates the part of a page that phoenix.js would use.
    const addEventListener = vi.fn()
    vi.stubGlobal("window", { addEventListener, document: { addEventListener } })
    const before = Object.getOwnPropertyNames(globalThis)
    const spies = [addEventListener, vi.spyOn(globalThis, "setTimeout"), vi.spyOn(globalThis, "setInterval")]
    vi.resetModules()
    const again = await import("../../src/client/index.ts")
    expect(again.connect).not.toBe(connect)
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    expect(Object.getOwnPropertyNames(globalThis)).toEqual(before)
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
  })
})
