/** A room on a real phoenix.js socket with a scripted transport. The test takes the part of the server. */
import assert from "node:assert"
import { afterEach, describe, expect, it, vi } from "vitest"
import { connect, JoinRejected, type RollcallError, type RoomOptions } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { meta, user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

type Fields = { name: string; status: string }

const TOPIC = "rooms:1"
const connections: { disconnect(): void }[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function setup(options: RoomOptions = {}) {
  // phoenix.js uses the global timers. Fake ones let the test decide when it reconnects and rejoins.
  vi.useFakeTimers()
  const { transport, latest } = scriptedTransport()
  const timers = clock()
  const connection = connect("ws://example.test/socket", {
    transport,
    timers,
    timeout: 1000,
    reconnectAfterMs: () => 10,
  })
  connections.push(connection)
  const room = connection.room<Fields>(TOPIC, { token: "t" }, options)
  const statuses: string[] = []
  const errors: RollcallError[] = []
  room.subscribe(() => statuses.push(`${room.status} ${room.reason?.code ?? ""}`.trim()))
  room.onError((error) => errors.push(error))
  const server = {
    socket: latest,
    open: () => latest().open(),
    joinRef: () => latest().last("phx_join").joinRef,
    accept: (response: unknown = {}) => latest().reply(latest().last("phx_join"), response),
    refuse: (response: unknown) => latest().reply(latest().last("phx_join"), response, "error"),
    push: (event: string, payload: unknown) => latest().receive(server.joinRef(), null, TOPIC, event, payload),
    state: (payload: object) => server.push("presence_state", payload),
    diff: (joins: object, leaves: object = {}) =>
      latest().receive(null, null, TOPIC, "presence_diff", { joins, leaves }),
    /** `phx_error` and `phx_close` carry the join's reference twice. */
    end: (event: string, payload: object = {}) =>
      latest().receive(server.joinRef(), server.joinRef(), TOPIC, event, payload),
    /** The connection breaks and is opened again. */
    async reconnect() {
      latest().drop()
      await vi.advanceTimersByTimeAsync(10)
      latest().open()
    },
    live(state: object = { ada: user("1") }) {
      server.open()
      server.accept()
      server.state(state)
    },
  }
  const updates = () =>
    latest()
      .all("presence_update")
      .map(({ payload }) => payload.meta)
  return { connection, room, server, timers, statuses, errors, updates, codes: () => errors.map(({ code }) => code) }
}

describe("joining", () => {
  it("sends the params, resolves joined with the response, and is live with the first state", async () => {
    const { room, server, statuses } = setup()
    expect([room.status, room.reason, room.topic]).toEqual(["joining", undefined, TOPIC])
    server.open()
    expect(server.socket().last("phx_join").payload).toEqual({ token: "t" })
    server.accept({ hello: 1 })
    await expect(room.joined).resolves.toEqual({ hello: 1 })
    expect(room.status).toBe("joining")
    server.state({ ada: user("1") })
    expect([room.status, room.size, statuses]).toEqual(["live", 1, ["live"]])
  })

  it("is closed with the reason when the server refuses the join, and does not join again", async () => {
    const { room, server, errors } = setup()
    server.open()
    server.refuse({ reason: "unauthorized" })
    await expect(room.joined).rejects.toMatchObject({ code: "join_rejected", reason: { reason: "unauthorized" } })
    await expect(room.joined).rejects.toBeInstanceOf(JoinRejected)
    expect([room.status, room.reason]).toEqual(["closed", { code: "rejected", detail: { reason: "unauthorized" } }])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.socket().all("phx_join")).toHaveLength(1)
    expect(errors).toEqual([])
  })

  it("reports a refused rejoin to onError, because the promise of the first join is settled", async () => {
    const { room, server, codes } = setup()
    server.live()
    await server.reconnect()
    server.refuse({ reason: "expired" })
    expect([room.status, room.reason?.code, codes()]).toEqual(["closed", "rejected", ["join_rejected"]])
    await expect(room.joined).resolves.toEqual({})
  })

  it.each(["join crashed", "subscribe timeout", "too many joins"])(
    "is tried again after %j, a temporary refusal",
    async (reason) => {
      const { room, server } = setup()
      server.open()
      server.refuse({ reason })
      expect([room.status, room.reason]).toEqual(["joining", { code: "unavailable", detail: { reason } }])
      await vi.advanceTimersByTimeAsync(1000)
      expect(server.socket().all("phx_join")).toHaveLength(2)
      server.accept("at last")
      await expect(room.joined).resolves.toBe("at last")
    },
  )

  it("is stale and tries again if a rejoin exceeds the rate limit", async () => {
    const { room, server, codes } = setup()
    server.live()
    await server.reconnect()
    server.refuse({ reason: "too many joins" })
    expect([room.status, room.reason?.code, room.size, codes()]).toEqual(["stale", "unavailable", 1, []])
    await vi.advanceTimersByTimeAsync(1000)
    server.accept()
    server.state({ ada: user("1") })
    expect(room.status).toBe("live")
  })

  it("is tried again after a timeout", async () => {
    const { room, server } = setup()
    server.open()
    await vi.advanceTimersByTimeAsync(1000)
    expect([room.status, room.reason]).toEqual(["joining", { code: "timeout" }])
    await vi.advanceTimersByTimeAsync(1000)
    expect(server.socket().all("phx_join")).toHaveLength(2)
  })

  it("rejects joined with closed, without an unhandled rejection, if the room is left before", async () => {
    const { room, server } = setup()
    server.open()
    room.leave()
    await expect(room.joined).rejects.toMatchObject({ code: "closed" })
  })
})

describe("status", () => {
  it("is stale while the connection is down, with the view kept, and live again with the next state", async () => {
    const { room, server, statuses } = setup()
    server.live()
    const before = room.get("ada")
    server.socket().drop()
    expect([room.status, room.reason, room.size]).toEqual([
      "stale",
      { code: "disconnected", detail: "connection_closed" },
      1,
    ])
    expect(room.getSnapshot().status).toBe("stale")
    await vi.advanceTimersByTimeAsync(10)
    server.open()
    server.accept()
    expect(room.status).toBe("stale")
    server.state({ ada: user("1") })
    expect([room.status, room.reason]).toEqual(["live", undefined])
    expect(room.get("ada")).toBe(before)
    expect(statuses).toEqual(["live", "stale disconnected", "live"])
  })

  it("is stale after a crash of the channel, and live again after the rejoin", async () => {
    const { room, server } = setup()
    server.live()
    server.end("phx_error", { reason: "channel_crash" })
    expect([room.status, room.reason]).toEqual(["stale", { code: "crashed", detail: "channel_crash" }])
    await vi.advanceTimersByTimeAsync(1000)
    server.accept()
    server.state({})
    expect([room.status, room.size]).toEqual(["live", 0])
  })

  it("stays joining if the connection breaks before the first state", () => {
    const { room, server } = setup()
    server.open()
    server.socket().drop()
    expect([room.status, room.reason?.code]).toEqual(["joining", "disconnected"])
  })

  it("is closed when the server closes the channel, and ignores a close of an earlier join", async () => {
    const { room, server } = setup()
    server.live()
    const earlier = server.joinRef()
    await server.reconnect()
    server.accept()
    server.state({ ada: user("1") })
    server.socket().receive(earlier, earlier, TOPIC, "phx_close", {})
    expect(room.status).toBe("live")
    server.end("phx_close")
    expect([room.status, room.reason?.code, room.size]).toEqual(["closed", "kicked", 1])
    server.diff({ bob: user("2") })
    expect(room.size).toBe(1)
  })

  it("is closed if the server closes the channel during the join, and does not join again", async () => {
    const { room, server } = setup()
    server.open()
    server.end("phx_close")
    await vi.advanceTimersByTimeAsync(20_000)
    expect([room.status, room.reason?.code]).toEqual(["closed", "kicked"])
    expect(server.socket().all("phx_join")).toHaveLength(1)
  })

  it("is part of the snapshot: a change of it makes a new one", () => {
    const { room, server } = setup()
    server.live()
    const before = room.getSnapshot()
    server.socket().drop()
    expect(room.getSnapshot()).not.toBe(before)
    expect(room.getSnapshot().users[0]).toBe(before.users[0])
  })
})

describe("the view", () => {
  it("lists entries, or what a chooser returns; its methods work unbound", () => {
    const { room, server } = setup()
    const { list, get, subscribe, getSnapshot, onChange } = room
    const changes: string[] = []
    onChange((all) => changes.push(...all.map(({ type, key }) => `${type} ${key}`)))
    let calls = 0
    const undo = subscribe(() => calls++)
    server.live({ ada: { metas: [meta("1", { name: "Ada", status: "in" })] } })
    expect(list()).toBe(getSnapshot().users)
    expect(list((key, { metas: [first] }) => `${key} ${first.name}`)).toEqual(["ada Ada"])
    expect(get("ada")?.metas[0].status).toBe("in")
    expect([changes, calls]).toEqual([["join ada"], 1])
    undo()
  })

  it("reports malformed frames and applies the next ones", () => {
    const { room, server, codes } = setup()
    server.live()
    server.push("presence_diff", { joins: [] })
    server.diff({ bob: user("2") })
    expect([codes(), room.size]).toEqual([["bad_frame"], 2])
  })
})

describe("push and on", () => {
  it("resolves with the response, also in a room without presence", async () => {
    const { room, server } = setup()
    const reply = room.push<{ n: number }>("echo", { n: 1 })
    server.open()
    server.accept()
    server.socket().reply(server.socket().last("echo"), { n: 1 })
    await expect(reply).resolves.toEqual({ n: 1 })
    expect(room.status).toBe("joining")
  })

  it("rejects with push_rejected and the reason, also for a status other than ok and error", async () => {
    const { room, server } = setup()
    server.live()
    for (const status of ["error", "accepted"]) {
      const reply = room.push("echo")
      server.socket().reply(server.socket().last("echo"), { why: 1 }, status)
      await expect(reply).rejects.toMatchObject({ code: "push_rejected", reason: { why: 1 } })
    }
  })

  it("rejects at once with the server's reason if it crashes the channel; one that waits is sent after the rejoin", async () => {
    const { room, server } = setup()
    const early = room.push("early")
    server.live()
    const reply = room.push("explode")
    server.end("phx_error", { reason: "channel_crash" })
    const later = room.push("later", {}, 60_000)
    for (const each of [early, reply])
      await expect(each).rejects.toMatchObject({
        code: "push_rejected",
        reason: "channel_crash",
        message: expect.stringContaining("the channel crashed: channel_crash"),
      })
    await vi.advanceTimersByTimeAsync(1000)
    const again = server.joinRef()
    server.end("phx_error", {})
    await vi.advanceTimersByTimeAsync(2000)
    expect(server.joinRef()).not.toBe(again)
    server.accept()
    expect(server.socket().all("later")).toHaveLength(1)
    const last = room.push("last")
    server.end("phx_error", {})
    for (const each of [later, last]) await expect(each).rejects.toMatchObject({ code: "push_rejected" })
  })

  it("rejects with timeout when no reply comes", async () => {
    const { room, server } = setup()
    server.live()
    const reply = expect(room.push("noreply", {}, 50)).rejects.toMatchObject({ code: "timeout" })
    await vi.advanceTimersByTimeAsync(50)
    await reply
  })

  it("causes no unhandled rejection if the promise of a push is not used", async () => {
    const { room, server } = setup()
    const unhandled = vi.fn()
    process.on("unhandledRejection", unhandled)
    server.live()
    void room.push("typing", {}, 50)
    await vi.advanceTimersByTimeAsync(50)
    room.leave()
    void room.push("typing")
    vi.useRealTimers()
    await new Promise((resolve) => setTimeout(resolve))
    process.off("unhandledRejection", unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  const cycle: Record<string, unknown> = {}
  cycle["self"] = cycle
  const notJson = [{ n: 1n }, cycle, { toJSON: () => assert.fail("no") }]

  it("rejects a payload that is neither JSON nor binary, and the channel goes on", async () => {
    const { room, server, codes } = setup()
    server.live()
    for (const payload of notJson)
      await expect(room.push("bad", payload)).rejects.toMatchObject({ code: "bad_payload" })
    const reply = room.push("echo")
    server.socket().reply(server.socket().last("echo"), 1)
    await expect(reply).resolves.toBe(1)
    expect(codes()).toEqual([])
  })

  it("rejects a payload that is not JSON before the join, too: phoenix.js would throw while it handles the join's reply", async () => {
    const { room, server } = setup()
    for (const payload of notJson)
      await expect(room.push("bad", payload)).rejects.toMatchObject({ code: "bad_payload" })
    void room.push("good")
    server.open()
    server.accept("welcome")
    await expect(room.joined).resolves.toBe("welcome")
    expect(server.socket().all("good")).toHaveLength(1)
  })

  it("resolves if the reply comes before push returns, as from a transport in the same process", async () => {
    const { room, server } = setup()
    server.live()
    const socket = server.socket()
    const send = socket.send.bind(socket)
    socket.send = (data) => {
      send(data)
      if (socket.sent.at(-1)?.event === "sum") socket.reply(socket.last("sum"), 2)
    }
    await expect(room.push("sum")).resolves.toBe(2)
  })

  it("sends only the bytes of a typed array, not those around it in its buffer", () => {
    const { room, server } = setup()
    server.live()
    void room.push("image", new Uint8Array([9, 1, 2, 9]).subarray(1, 3))
    expect(server.socket().last("binary").payload.slice(-2)).toEqual(new Uint8Array([1, 2]))
    expect(server.socket().last("binary").payload.at(-3)).toBe("e".charCodeAt(0))
  })

  it("lets at most a thousand pushes wait for a join, timed-out ones included, because phoenix.js keeps them", async () => {
    const { room, server, timers } = setup()
    for (let n = 0; n < 1000; n++) void room.push("move", { n }, 50)
    await vi.advanceTimersByTimeAsync(50)
    await expect(room.push("move")).rejects.toMatchObject({ code: "too_many_pushes" })
    server.live()
    const reply = room.push("echo")
    // A hundred may be in flight at a time, and one without a reply counts for half a second.
    timers.advance(5_500)
    server.socket().reply(server.socket().last("echo"))
    await expect(reply).resolves.toEqual({})
  })

  it("rejects pushes with closed: unanswered ones when the room closes, and all later ones", async () => {
    const { room, server } = setup()
    server.live()
    const reply = room.push("echo")
    room.leave()
    await expect(reply).rejects.toMatchObject({ code: "closed" })
    await expect(room.push("echo")).rejects.toMatchObject({ code: "closed" })
  })

  it("calls a callback for each message until it is removed; what a callback throws is reported to onError", () => {
    const { room, server, codes } = setup()
    server.live()
    const received: unknown[] = []
    room.on("shout", () => {
      throw new Error("mine")
    })
    const undo = room.on("shout", (payload) => received.push(payload))
    server.push("shout", { n: 1 })
    undo()
    server.push("shout", { n: 2 })
    expect([received, codes()]).toEqual([[{ n: 1 }], ["callback_failed", "callback_failed"]])
  })
})

const acknowledge = ({ server }: ReturnType<typeof setup>, phx_ref = "mine") =>
  server.socket().reply(server.socket().last("presence_update"), { phx_ref })

describe("update", () => {
  it("waits for the join, then sends at once", () => {
    const { room, server, updates } = setup()
    room.update({ name: "Ada" })
    room.update({ status: "in" })
    server.open()
    expect(updates()).toEqual([])
    server.accept()
    expect(updates()).toEqual([{ name: "Ada", status: "in" }])
  })

  it("sends the first at once, then at most one per interval, with the last values", () => {
    const all = setup()
    const { room, server, timers, updates } = all
    server.live()
    room.update({ status: "a" })
    expect(updates()).toEqual([{ status: "a" }])
    acknowledge(all)
    room.update({ status: "b", name: "Ada" })
    room.update({ status: "c" })
    timers.advance(99)
    expect(updates()).toHaveLength(1)
    timers.advance(1)
    expect(updates().slice(1)).toEqual([{ status: "c", name: "Ada" }])
  })

  it("has at most one update in flight", () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates } = all
    server.live()
    room.update({ status: "a" })
    room.update({ status: "b" })
    expect(updates()).toEqual([{ status: "a" }])
    acknowledge(all)
    expect(updates()).toEqual([{ status: "a" }, { status: "b" }])
  })

  it("sends our fields again after a rejoin, acknowledged or still in flight", async () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates } = all
    server.live()
    room.update({ name: "Ada" })
    acknowledge(all)
    room.update({ status: "in flight" })
    await server.reconnect()
    room.update({ status: "last" })
    server.accept()
    expect(updates()).toEqual([{ name: "Ada", status: "last" }])
    acknowledge(all)
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([{ name: "Ada", status: "last" }])
  })

  it.each([
    ["an error", "update_rejected"],
    ["a crash", "update_rejected"],
  ])(
    "that is followed by %s is reported to onError, and is not sent again, not even after a rejoin",
    async (answer, code) => {
      const all = setup({ updateThrottleMs: 0 })
      const { room, server, updates, codes } = all
      server.live()
      room.update({ name: "Ada" })
      acknowledge(all)
      room.update({ status: "bad" })
      if (answer === "an error")
        server.socket().reply(server.socket().last("presence_update"), { reason: "no" }, "error")
      if (answer === "a crash") server.end("phx_error")
      expect(codes()).toEqual([code])
      await server.reconnect()
      server.accept()
      expect(updates()).toEqual([{ name: "Ada" }])
    },
  )

  it("of a line that died without a sign is reported as timeout, and sent again after the rejoin: never an older value", async () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates, codes } = all
    server.live()
    room.update({ status: "busy", name: "Ada" })
    acknowledge(all)
    room.update({ status: "away" })
    await vi.advanceTimersByTimeAsync(1000)
    expect(codes()).toEqual(["timeout"])
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([{ status: "away", name: "Ada" }])
    server.socket().reply(server.socket().last("presence_update"), { reason: "no" }, "error")
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([])
  })

  it("that was given while an earlier one had no answer wins over it after the rejoin", async () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates } = all
    server.live()
    room.update({ status: "a" })
    room.update({ status: "b" })
    await vi.advanceTimersByTimeAsync(1000)
    expect(updates()).toEqual([{ status: "a" }, { status: "b" }])
    await vi.advanceTimersByTimeAsync(1000)
    room.update({ status: "c" })
    await server.reconnect()
    room.update({ status: "d" })
    server.accept()
    expect(updates()).toEqual([{ status: "d" }])
  })

  it("that closes the connection twice, the second time sent alone, is dropped and reported with the close code", async () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates, errors } = all
    const close = async () => {
      server.socket().drop(1009)
      // An attempt that fails in between has a code, too.
      await vi.advanceTimersByTimeAsync(10)
      server.socket().drop(1006)
      await vi.advanceTimersByTimeAsync(50)
      server.open()
      server.accept()
    }
    server.live()
    room.update({ name: "Ada", status: "old" })
    acknowledge(all)
    room.update({ status: "poison" })
    await close()
    room.update({ name: "Ada L" })
    expect(updates()).toEqual([{ status: "poison" }])
    await close()
    expect(updates()).toEqual([{ name: "Ada L" }])
    expect(errors).toMatchObject([{ code: "update_rejected", reason: 1009, message: expect.stringContaining("1009") }])
    acknowledge(all)
    await close()
    expect(updates()).toEqual([{ name: "Ada L" }])
    expect(errors).toHaveLength(1)
  })

  it("in flight when the connection closed once is sent first, then the rest; a newer value replaces it", async () => {
    const all = setup({ updateThrottleMs: 0 })
    const { room, server, updates, errors } = all
    server.live()
    room.update({ name: "Ada", status: "in" })
    acknowledge(all)
    room.update({ status: "busy" })
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([{ status: "busy" }])
    acknowledge(all)
    expect(updates()).toEqual([{ status: "busy" }, { name: "Ada" }])
    room.update({ status: "away" })
    acknowledge(all)
    expect(updates().at(-1)).toEqual({ status: "away" })
    await server.reconnect()
    room.update({ status: "back" })
    server.accept()
    expect(updates()).toEqual([{ status: "back", name: "Ada" }])
    expect(errors).toEqual([])
  })

  it("uses the event name of the option", () => {
    const { room, server } = setup({ updateEvent: "me" })
    server.live()
    room.update({ status: "in" })
    expect(server.socket().last("me").payload).toEqual({ meta: { status: "in" } })
  })

  it("sends the patch as it was when it was given, also if the caller changes it while it waits", () => {
    const all = setup()
    const { room, server, timers, updates, codes } = all
    server.live()
    room.update({ status: "in" })
    acknowledge(all)
    const patch = { name: "Ada", more: { n: 1 as unknown } }
    room.update(patch)
    patch.more.n = 1n
    timers.advance(100)
    expect(updates()).toEqual([{ status: "in" }, { name: "Ada", more: { n: 1 } }])
    expect(codes()).toEqual([])
  })

  it("throws in a closed room", () => {
    const { room } = setup()
    room.leave()
    expect(() => room.update({ status: "in" })).toThrow(expect.objectContaining({ code: "closed" }))
  })
})

describe("an update that is not JSON", () => {
  it("throws at once, and the next update is sent", () => {
    const { room, server, updates } = setup()
    server.live()
    expect(() => room.update({ status: 1n as unknown as string })).toThrow(
      expect.objectContaining({ code: "bad_payload" }),
    )
    room.update({ status: "in" })
    expect(updates()).toEqual([{ status: "in" }])
  })
})

describe("self", () => {
  it("is the user under the option key", () => {
    const { room, server } = setup({ key: "ada" })
    expect(room.self).toBe(undefined)
    server.live({ ada: user("1"), bob: user("2") })
    expect(room.self).toBe(room.get("ada"))
  })

  it("is otherwise the user with the ref of the server's reply to an update, which may come before or after the diff", () => {
    const { room, server } = setup()
    server.live({ ada: user("1"), bob: user("2") })
    room.update({ status: "in" })
    expect(room.self).toBe(undefined)
    let notified = 0
    room.subscribe(() => notified++)
    server.socket().reply(server.socket().last("presence_update"), { phx_ref: "3" })
    expect(room.self).toBe(undefined)
    server.diff({ bob: { metas: [meta("3", { phx_ref_prev: "2" })] } }, { bob: user("2") })
    expect(room.self?.key).toBe("bob")
    server.diff({ bob: { metas: [meta("4", { phx_ref_prev: "3" })] } }, { bob: user("3") })
    expect(room.self?.metas[0].phx_ref).toBe("4")
    expect(notified).toBe(2)
  })

  it("is found if the server updated the meta once more before the answer", () => {
    const { room, server } = setup()
    server.live({ ada: user("1") })
    room.update({ status: "in" })
    server.diff({ ada: { metas: [meta("2", { phx_ref_prev: "1" })] } }, { ada: user("1") })
    server.diff({ ada: { metas: [meta("3", { phx_ref_prev: "2" })] } }, { ada: user("2") })
    server.socket().reply(server.socket().last("presence_update"), { phx_ref: "2" })
    expect(room.self?.key).toBe("ada")
  })

  it("notifies subscribers if the answer comes after the diff", () => {
    const { room, server } = setup()
    server.live({ ada: user("1") })
    room.update({ status: "in" })
    server.diff({ ada: { metas: [meta("2", { phx_ref_prev: "1" })] } }, { ada: user("1") })
    const before = room.getSnapshot()
    let notified = 0
    room.subscribe(() => notified++)
    server.socket().reply(server.socket().last("presence_update"), { phx_ref: "2" })
    expect([room.self?.key, notified]).toEqual(["ada", 1])
    expect(room.getSnapshot()).not.toBe(before)
  })
})
