/** Joins of one topic that follow each other on one connection: none is sent while the server may still serve the one before. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { meta, user } from "../support/presences.ts"
import { scriptedTransport, type Sent } from "../support/scripted-websocket.ts"

const TOPIC = "rooms:1"
const connections: Connection[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup() {
  vi.useFakeTimers()
  const { transport, sockets, latest } = scriptedTransport()
  const timers = clock()
  const connection = connect("ws://example.test/socket", { transport, timers, timeout: 1000 })
  connections.push(connection)
  connection.socket.connect()
  latest().open()
  const join = () => latest().last("phx_join")
  const server = {
    join,
    /** Joins and leaves, as they were sent. */
    frames: () =>
      sockets.flatMap(({ sent }) => sent.map(({ event }) => event)).filter((event) => /join|leave/.test(event)),
    accept: (to: Sent = join()) => latest().reply(to),
    state: (payload: object, { joinRef }: Sent = join()) =>
      latest().receive(joinRef, null, TOPIC, "presence_state", payload),
    diff: (joins: object, leaves: object = {}) =>
      latest().receive(null, null, TOPIC, "presence_diff", { joins, leaves }),
    /** The two frames that answer a leave: its reply, and the end of the join. */
    close: (leave: Sent = latest().last("phx_leave")) => {
      latest().reply(leave)
      latest().receive(leave.joinRef, leave.joinRef, TOPIC, "phx_close", {})
    },
  }
  /** Joins, and lets the server answer with this state. */
  const live = (state: object = { me: user("A") }) => {
    const room = connection.room(TOPIC)
    server.accept()
    server.state(state)
    return room
  }
  const refs = (room: { list(): readonly { metas: readonly { phx_ref?: string }[] }[] }) =>
    room.list().flatMap(({ metas }) => metas.map(({ phx_ref }) => phx_ref))
  return { connection, server, timers, latest, live, refs }
}

describe("a room that is left and taken again", () => {
  it("within 50 ms sends neither a leave nor a join: the next room has the view, and follows it", async () => {
    const { connection, server, timers, live, refs } = setup()
    const first = live()
    first.leave()
    expect([first.status, first.reason?.code]).toEqual(["closed", "left"])
    server.diff({ bob: user("B") })
    timers.advance(49)
    const second = connection.room(TOPIC)
    expect(second).not.toBe(first)
    expect([second.status, refs(second), refs(first)]).toEqual(["live", ["A", "B"], ["A"]])
    await expect(second.joined).resolves.toEqual({})
    timers.advance(60_000)
    server.diff({}, { bob: user("B") })
    expect([refs(second), server.frames()]).toEqual([["A"], ["phx_join"]])
    second.leave()
    timers.advance(50)
    expect(server.frames()).toEqual(["phx_join", "phx_leave"])
  })

  it("four times in one tick sends one join, before the answer of the server and after it", () => {
    const { connection, server, refs } = setup()
    const cycle = () => {
      for (let n = 0; n < 4; n++) connection.room(TOPIC).leave()
      return connection.room(TOPIC)
    }
    const early = cycle()
    server.accept()
    early.leave()
    const room = cycle()
    server.state({ me: user("A") })
    room.leave()
    expect([refs(cycle()), server.frames()]).toEqual([["A"], ["phx_join"]])
  })

  it("does not call the listeners of the former room, nor those of its messages", () => {
    const { connection, server, latest, live } = setup()
    const first = live()
    const calls: string[] = []
    first.onChange(() => calls.push("change"))
    first.on("shout", () => calls.push("shout"))
    first.subscribe(() => calls.push(first.status))
    first.leave()
    first.leave()
    const second = connection.room(TOPIC)
    second.on("shout", () => calls.push("shout to the second"))
    server.diff({ bob: user("B") })
    latest().receive(null, null, TOPIC, "shout", {})
    expect(calls).toEqual(["closed", "shout to the second"])
    expect(second.status).toBe("live")
    for (const text of ["x", "y"]) {
      const reply = second.push("echo", { text })
      expect(latest().all("echo").at(-1)?.payload).toEqual({ text })
      void reply
    }
    expect(latest().all("echo")).toHaveLength(2)
  })

  it("with other params or options is joined anew", () => {
    const { connection, server, timers } = setup()
    const seen: unknown[] = []
    for (const [params, options] of [
      [{ role: "guest" }, {}],
      [{ role: "guest" }, {}],
      [{ role: "host" }, {}],
      [{ role: "host" }, { key: "me" }],
      [() => ({ role: "host" }), { key: "me" }],
      [() => ({ role: "host" }), { key: "me" }],
    ] as const) {
      const room = connection.room(TOPIC, params, options)
      seen.push(server.frames().length)
      server.accept()
      room.leave()
      if (server.frames().at(-1) === "phx_leave") server.close()
    }
    timers.advance(50)
    expect(seen).toEqual([1, 1, 2, 4, 6, 8])
  })

  it("keeps what was given to update, and sends it again after a rejoin", async () => {
    const { connection, server, timers, latest, live } = setup()
    const first = live()
    first.update({ status: "busy" })
    latest().reply(latest().last("presence_update"), { phx_ref: "A2" })
    server.diff({ me: { metas: [meta("A2", { phx_ref_prev: "A" })] } }, { me: user("A") })
    first.update({ name: "Ada" })
    first.leave()
    const second = connection.room(TOPIC)
    expect(second.self?.key).toBe("me")
    timers.advance(100)
    expect(latest().last("presence_update").payload).toEqual({ meta: { name: "Ada" } })
    latest().reply(latest().last("presence_update"), { phx_ref: "A3" })
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    latest().open()
    server.accept()
    expect(latest().last("presence_update").payload).toEqual({ meta: { status: "busy", name: "Ada" } })
  })

  it("follows a loss of the connection in the meantime", async () => {
    const { connection, server, latest, live, refs } = setup()
    live().leave()
    latest().drop()
    const second = connection.room(TOPIC)
    expect([second.status, second.reason?.code]).toEqual(["stale", "disconnected"])
    await vi.advanceTimersByTimeAsync(10)
    latest().open()
    server.accept()
    server.state({ me: user("B") })
    expect([second.status, refs(second)]).toEqual(["live", ["B"]])
  })

  it("is a new join if the server closed the channel in the meantime", () => {
    const { connection, server, latest, live } = setup()
    live().leave()
    const { joinRef } = server.join()
    latest().receive(joinRef, joinRef, TOPIC, "phx_close", {})
    expect(connection.room(TOPIC).status).toBe("joining")
    expect(server.frames()).toEqual(["phx_join", "phx_join"])
  })

  it("leaves at once when the connection is closed meanwhile", () => {
    const { connection, server, timers, live } = setup()
    live().leave()
    connection.disconnect()
    expect(server.frames()).toEqual(["phx_join", "phx_leave"])
    expect(timers.pending).toBe(0)
  })
})

describe("the next join of a topic", () => {
  /** Joins and leaves, so that the leave has been sent and not been answered. */
  const leaving = (all: ReturnType<typeof setup>) => {
    all.live().leave()
    all.timers.advance(50)
    expect(all.server.frames()).toEqual(["phx_join", "phx_leave"])
  }

  it("waits for the end of the former one: its diffs, late as they may be, list nobody", () => {
    const all = setup()
    const { connection, server, latest, refs } = all
    leaving(all)
    const room = connection.room(TOPIC)
    expect([room.status, server.frames()]).toEqual(["joining", ["phx_join", "phx_leave"]])
    server.diff({ me: user("ghost") })
    latest().reply(latest().last("phx_leave"))
    server.diff({ me: user("ghost") })
    expect(server.frames()).toEqual(["phx_join", "phx_leave"])
    server.close()
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
    server.diff({ me: user("ghost") })
    server.accept()
    server.diff({ me: user("B") })
    server.diff({ cem: user("C") })
    server.state({ me: user("B") })
    expect([room.status, refs(room)]).toEqual(["live", ["B", "C"]])
  })

  it.each([
    ["a crash", (latest: any, { joinRef }: Sent) => latest().receive(joinRef, joinRef, TOPIC, "phx_error", {})],
    [
      "a close without a reference, as in version 1",
      (latest: any) => latest().receive(null, null, TOPIC, "phx_close", {}),
    ],
  ])("is sent after %s of the former one", (_name, end) => {
    const all = setup()
    leaving(all)
    all.connection.room(TOPIC)
    end(all.latest, all.server.join())
    expect(all.server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
  })

  it("is sent after a refusal of the former one, which was left before its reply", () => {
    const { connection, server, timers, latest } = setup()
    connection.room(TOPIC).leave()
    timers.advance(50)
    connection.room(TOPIC)
    expect(server.frames()).toEqual(["phx_join", "phx_leave"])
    latest().reply(server.join(), { reason: "no" }, "error")
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
  })

  it("waits three seconds at most, counted from the leave", () => {
    const all = setup()
    leaving(all)
    all.timers.advance(1_000)
    all.connection.room(TOPIC)
    all.timers.advance(1_999)
    expect(all.server.frames()).toHaveLength(2)
    all.timers.advance(1)
    expect(all.server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
  })

  it("is sent on the next connection when the former one breaks", async () => {
    const all = setup()
    const { connection, server, latest } = all
    leaving(all)
    const room = connection.room(TOPIC)
    latest().drop()
    await vi.advanceTimersByTimeAsync(10)
    expect(server.frames()).toHaveLength(2)
    latest().open()
    expect(latest().all("phx_join")).toHaveLength(1)
    server.accept()
    await expect(room.joined).resolves.toEqual({})
  })

  it("does not wait for the join of another topic", () => {
    const all = setup()
    leaving(all)
    all.connection.room("rooms:2")
    expect(all.server.frames()).toHaveLength(3)
  })

  it("can be withdrawn while it waits: nothing is sent for it", () => {
    const all = setup()
    const { connection, server, timers } = all
    leaving(all)
    const room = connection.room(TOPIC)
    room.leave()
    expect(room.status).toBe("closed")
    timers.advance(50)
    server.close()
    timers.advance(5_000)
    expect(server.frames()).toEqual(["phx_join", "phx_leave"])
    connection.room(TOPIC)
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
  })

  it("sends what was pushed and updated while it waited, and gives messages to its listeners only from then on", async () => {
    const all = setup()
    const { connection, server, latest } = all
    leaving(all)
    const room = connection.room(TOPIC)
    const shouts: unknown[] = []
    room.on("shout", (payload) => shouts.push(payload))
    const reply = room.push("echo", { n: 1 })
    room.update({ status: "in" })
    latest().receive(null, null, TOPIC, "shout", { n: 1 })
    server.close()
    server.accept()
    latest().receive(null, null, TOPIC, "shout", { n: 2 })
    latest().reply(latest().last("echo"), { n: 1 })
    expect(latest().last("presence_update").payload).toEqual({ meta: { status: "in" } })
    await expect(reply).resolves.toEqual({ n: 1 })
    expect(shouts).toEqual([{ n: 2 }])
  })

  it("rejects with closed what was pushed while it waited when it is withdrawn", async () => {
    const all = setup()
    leaving(all)
    const room = all.connection.room(TOPIC)
    const reply = room.push("echo")
    room.leave()
    await expect(reply).rejects.toMatchObject({ code: "closed", reason: { code: "left" } })
    await expect(room.joined).rejects.toMatchObject({ code: "closed", reason: { code: "left" } })
  })
})

describe("a join that was sent while another one of its topic was open", () => {
  it("after a timeout shows its view, and is joined once more, after the end of both, for a clean one", async () => {
    const { connection, server, timers, latest, refs } = setup()
    const room = connection.room(TOPIC)
    const statuses: string[] = []
    room.subscribe(() => statuses.push(`${room.status} ${room.reason?.code ?? ""}`.trim()))
    const former = server.join()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
    const second = server.join()
    server.accept(former)
    latest().reply(latest().last("phx_leave"))
    server.accept(second)
    server.diff({ me: user("ghost") })
    server.state({ me: user("B") }, second)
    // A diff has no reference: whether it is of the former join is not known.
    expect([room.status, refs(room)]).toEqual(["stale", ["B", "ghost"]])
    expect(server.frames().slice(3)).toEqual(["phx_leave"])
    server.close()
    expect(server.frames().slice(3)).toEqual(["phx_leave"])
    latest().receive(former.joinRef, former.joinRef, TOPIC, "phx_close", {})
    expect(server.frames().slice(3)).toEqual(["phx_leave", "phx_join"])
    server.accept()
    server.state({ me: user("C") })
    expect([room.status, refs(room)]).toEqual(["live", ["C"]])
    timers.advance(60_000)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(server.frames()).toHaveLength(5)
    expect(statuses).toEqual(["joining timeout", "live", "stale disconnected", "live"])
  })

  it("is clean if the end of the former one was seen before", async () => {
    const { connection, server } = setup()
    const room = connection.room(TOPIC)
    await vi.advanceTimersByTimeAsync(1_000)
    server.accept()
    server.close()
    await vi.advanceTimersByTimeAsync(1_000)
    server.accept()
    server.state({})
    expect([room.status, server.frames()]).toEqual(["live", ["phx_join", "phx_leave", "phx_join"]])
  })

  it("beside a channel that the application made is joined once more as well", () => {
    const { connection, server, latest, refs } = setup()
    connection.socket.channel(TOPIC).join()
    const former = server.join()
    server.accept(former)
    const room = connection.room(TOPIC)
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
    server.accept()
    server.diff({ me: user("ghost") })
    server.state({ me: user("B") })
    server.close()
    latest().receive(former.joinRef, former.joinRef, TOPIC, "phx_close", {})
    server.accept()
    server.state({ me: user("C") })
    expect([room.status, refs(room)]).toEqual(["live", ["C"]])
  })

  it("without a state, as in a room without presence, is not joined again", async () => {
    const { connection, server, timers } = setup()
    connection.room(TOPIC)
    await vi.advanceTimersByTimeAsync(2_000)
    server.accept()
    timers.advance(10_000)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(server.frames()).toEqual(["phx_join", "phx_leave", "phx_join"])
  })
})
