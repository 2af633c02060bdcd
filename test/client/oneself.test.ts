/** What a client says of itself: with the join, in updates, for a while. The test takes the part of the server. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { ConfigError, connect, type RollcallError, type RoomOptions } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { meta, user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

type Fields = {
  name: string
  status: string | null
  typing: boolean
  n: number
  at: { x: number }
  chosen: Record<string, number>
}

const TOPIC = "rooms:1"
const connections: { disconnect(): void }[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

/** @param params those of the join: a server that takes `me` from them is played by `named` */
function setup(params: object | (() => object) = {}, options: RoomOptions = {}) {
  vi.useFakeTimers()
  const { transport, latest } = scriptedTransport()
  const timers = clock()
  const connection = connect("ws://example.test/socket", {
    transport,
    timers,
    timeout: 1000,
    reconnectAfterMs: () => 10,
    rejoinAfterMs: () => 10,
  })
  connections.push(connection)
  const room = connection.room<Fields>(TOPIC, params, { updateThrottleMs: 0, ...options })
  const errors: RollcallError[] = []
  room.onError((error) => errors.push(error))
  const push = (event: string, payload: unknown): void =>
    latest().receive(latest().last("phx_join").joinRef, null, TOPIC, event, payload)
  const server = {
    me: () => latest().last("phx_join").payload.me as unknown,
    joins: () => latest().all("phx_join").length,
    accept: () => latest().reply(latest().last("phx_join")),
    refuse: (reason: string) => latest().reply(latest().last("phx_join"), { reason }, "error"),
    state: (state: object) => push("presence_state", state),
    diff: (joins: object, leaves: object = {}) =>
      latest().receive(null, null, TOPIC, "presence_diff", { joins, leaves }),
    self: (phx_ref: string) => push("presence_self", { key: "ada", phx_ref }),
    /** A Rollcall server that tracks us under these fields. */
    live(fields: object = {}, ref = "1") {
      latest().open()
      server.accept()
      server.self(ref)
      server.state({ ada: { metas: [meta(ref, fields)] }, bob: user("b") })
    },
    acknowledge: (phx_ref?: string) => latest().reply(latest().last("presence_update"), { phx_ref }),
    refuseUpdate: () => latest().reply(latest().last("presence_update"), { reason: "no" }, "error"),
    crash: () =>
      latest().receive(latest().last("phx_join").joinRef, latest().last("phx_join").joinRef, TOPIC, "phx_error", {}),
    async reconnect() {
      latest().drop()
      await vi.advanceTimersByTimeAsync(10)
      latest().open()
    },
  }
  /** What was sent since the connection opened. */
  const sent = () =>
    latest()
      .all("presence_update")
      .map(({ payload }) => payload as object)
  const updates = () => sent().map((payload) => (payload as { meta: object }).meta)
  return { connection, room, server, timers, errors, sent, updates, codes: () => errors.map(({ code }) => code) }
}

/** Returns how a promise is settled by now. */
async function outcome(promise: Promise<unknown>): Promise<string> {
  const pending = Symbol("pending")
  // A promise that follows another one is settled later than that one.
  for (let turns = 0; turns < 10; turns++) await Promise.resolve()
  try {
    const first = await Promise.race([promise, Promise.resolve(pending)])
    return first === pending ? "pending" : "resolved"
  } catch (error) {
    return (error as RollcallError).code
  }
}

describe("me in the params of a room", () => {
  it("travels with the first join as it was given, and is not sent as an update", () => {
    const { server, updates } = setup({ me: { name: "Ada" }, token: "t" })
    server.live({ name: "Ada" })
    expect([server.me(), updates()]).toEqual([{ name: "Ada" }, []])
  })

  it("travels with each join as it is by then: updates are merged over it", async () => {
    const { room, server } = setup({ me: { name: "Ada", status: "in" } })
    server.live({ name: "Ada", status: "in" })
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    expect(server.me()).toEqual({ name: "Ada", status: "busy" })
    room.update({ name: "Ada L" })
    await server.reconnect()
    expect(server.me()).toEqual({ name: "Ada L", status: "busy" })
  })

  it("has what was given before the first join", () => {
    const { room, server } = setup({ me: { name: "Ada" } })
    room.update({ status: "busy" })
    server.live()
    expect(server.me()).toEqual({ name: "Ada", status: "busy" })
  })

  it("may come from a function or a promise, which is asked for at each join; updates win", async () => {
    let n = 0
    for (const params of [() => ({ me: { n: ++n, name: "Ada" } }), async () => ({ me: { n: ++n, name: "Ada" } })]) {
      n = 0
      const { room, server } = setup(params)
      room.update({ name: "Ada L" })
      await server.reconnect()
      await vi.advanceTimersByTimeAsync(0)
      const first = server.me()
      server.live()
      server.acknowledge("2")
      await server.reconnect()
      await vi.advanceTimersByTimeAsync(0)
      expect([first, server.me()]).toEqual([
        { n: 1, name: "Ada L" },
        { n: 2, name: "Ada L" },
      ])
    }
  })

  it("is not sent if the application gave none, whatever is updated", async () => {
    const { room, server, updates } = setup({ token: "t" })
    server.live()
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    expect(server.me()).toBe(undefined)
    server.live({}, "5")
    expect(updates()).toEqual([{ status: "busy" }])
  })

  it.each([["text"], [null], [["a"]], [7]])("is sent as it is when it is %j, no object", async (me) => {
    const { room, server } = setup({ me })
    server.live()
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    expect(server.me()).toEqual(me)
  })

  it("does not change the object that the application gave", async () => {
    const params = Object.freeze({ me: Object.freeze({ name: "Ada" }) })
    const { room, server } = setup(params)
    server.live()
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    expect(params).toEqual({ me: { name: "Ada" } })
  })
})

describe("after a rejoin", () => {
  async function rejoined(fields: object) {
    const all = setup({ me: { name: "Ada" } })
    all.server.live({ name: "Ada" })
    all.room.update({ status: "busy", at: { x: 1 } })
    all.server.acknowledge("2")
    await all.server.reconnect()
    all.server.live(fields, "5")
    return all
  }

  it("nothing is sent if the state shows that the server took it from the join", async () => {
    const { updates, server } = await rejoined({ name: "Ada", status: "busy", at: { x: 1 }, since: 7 })
    expect(updates()).toEqual([])
    await server.reconnect()
    expect(server.me()).toEqual({ name: "Ada", status: "busy", at: { x: 1 } })
    server.live({ name: "Ada", status: "busy", at: { x: 1 } }, "7")
    expect(updates()).toEqual([])
  })

  it("only the fields are sent that the server did not take", async () => {
    const { updates } = await rejoined({ name: "Ada", status: "busy" })
    expect(updates()).toEqual([{ at: { x: 1 } }])
  })

  it("another device of ours with the same fields is not taken for this one", async () => {
    const { room, server, updates } = setup({ me: { name: "Ada" } })
    server.live({ name: "Ada" })
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    server.accept()
    server.self("5")
    server.state({
      ada: { metas: [meta("4", { status: "busy" }), meta("5", { name: "Ada" }), meta("6", { status: "busy" })] },
    })
    expect(updates()).toEqual([{ status: "busy" }])
  })

  it("nothing waits for a state that may never come", async () => {
    const { room, server, updates, timers } = setup({ me: { name: "Ada" } })
    server.live({ name: "Ada" })
    room.update({ status: "busy" })
    server.acknowledge("2")
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([])
    timers.advance(10_000)
    expect(updates()).toEqual([{ status: "busy" }])
  })

  it("everything is sent at once to a server that does not name us, such as Phoenix", async () => {
    const { room, server, updates } = setup({ me: { name: "Ada" } }, { key: "ada" })
    await server.reconnect()
    server.accept()
    server.state({ ada: user("1") })
    room.update({ status: "busy" })
    server.acknowledge("2")
    server.diff({ ada: { metas: [meta("2", { phx_ref_prev: "1", status: "busy" })] } }, { ada: user("1") })
    await server.reconnect()
    server.accept()
    expect(updates()).toEqual([{ status: "busy" }])
    // A ghost of the former join must not be taken for this one.
    server.state({ ada: { metas: [meta("2", { phx_ref_prev: "1", status: "busy" }), meta("3", {})] } })
    expect(updates()).toEqual([{ status: "busy" }])
  })

  it("a value that was given meanwhile is in the join, and resolves when the state shows it", async () => {
    const { room, server, updates } = setup({ me: {} })
    server.live()
    await server.reconnect()
    const promise = room.update({ status: "busy" })
    await server.reconnect()
    expect(server.me()).toEqual({ status: "busy" })
    server.accept()
    server.self("5")
    expect(await outcome(promise)).toBe("pending")
    server.state({ ada: { metas: [meta("5", { status: "busy" })] } })
    expect([await outcome(promise), updates()]).toEqual(["resolved", []])
  })
})

describe("a join that the server refuses because of what was updated", () => {
  it.each(["invalid_meta", "bad name", "join crashed"])(
    "(%s) is sent again with me as it was given; the room goes on",
    async (reason) => {
      const { room, server, updates, codes } = setup({ me: { name: "Ada" } })
      server.live({ name: "Ada" })
      server.crash()
      await vi.advanceTimersByTimeAsync(10)
      server.accept()
      await server.reconnect()
      room.update({ name: "x".repeat(99) })
      await server.reconnect()
      expect(server.me()).toEqual({ name: "x".repeat(99) })
      server.refuse(reason)
      expect([room.status, room.reason?.code]).toEqual(["stale", "unavailable"])
      await vi.advanceTimersByTimeAsync(10)
      expect(server.me()).toEqual({ name: "Ada" })
      server.accept()
      server.self("5")
      server.state({ ada: { metas: [meta("5", { name: "Ada" })] } })
      expect([room.status, updates()]).toEqual(["live", [{ name: "x".repeat(99) }]])
      server.refuseUpdate()
      expect(codes()).toEqual(["update_rejected"])
      await server.reconnect()
      expect(server.me()).toEqual({ name: "Ada" })
    },
  )

  it("closes the room if it is refused as it was given, too", async () => {
    const { room, server } = setup({ me: { name: "Ada" } })
    room.update({ status: "busy" })
    await server.reconnect()
    server.refuse("members only")
    expect(room.status).toBe("joining")
    await vi.advanceTimersByTimeAsync(10)
    server.refuse("members only")
    expect([room.status, room.reason]).toEqual(["closed", { code: "rejected", detail: { reason: "members only" } }])
    await expect(room.joined).rejects.toMatchObject({ code: "join_rejected" })
  })

  it("closes the room at once if it had nothing but what was given", async () => {
    const { room, server } = setup({ me: { name: "Ada" } })
    await server.reconnect()
    server.refuse("members only")
    expect(room.status).toBe("closed")
  })
})

it("a channel that crashes because of what was updated joins again with me as it was given", async () => {
  const { room, server } = setup({ me: { name: "Ada" } })
  server.live({ name: "Ada" })
  await server.reconnect()
  room.update({ n: 1 })
  await server.reconnect()
  expect(server.me()).toEqual({ name: "Ada", n: 1 })
  server.accept()
  server.crash()
  await vi.advanceTimersByTimeAsync(10)
  expect(server.me()).toEqual({ name: "Ada" })
})

describe("the promise of an update", () => {
  it("resolves when the server has acknowledged what carries the patch; patches in one message share it", async () => {
    const { room, server, updates } = setup()
    server.live()
    const first = room.update({ n: 1 })
    const second = room.update({ n: 2 })
    const third = room.update({ name: "Ada" })
    expect([await outcome(first), await outcome(second)]).toEqual(["pending", "pending"])
    server.acknowledge("2")
    expect([await outcome(first), await outcome(second)]).toEqual(["resolved", "pending"])
    expect(updates()).toEqual([{ n: 1 }, { n: 2, name: "Ada" }])
    server.acknowledge("3")
    expect([await outcome(second), await outcome(third), second === third]).toEqual(["resolved", "resolved", true])
    await expect(third).resolves.toBe(undefined)
  })

  it("rejects with the code that onError gets, and need not be handled", async () => {
    const { room, server, codes } = setup()
    server.live()
    const refused = room.update({ n: 1 })
    server.refuseUpdate()
    await expect(refused).rejects.toMatchObject({ code: "update_rejected", reason: { reason: "no" } })
    const unanswered = room.update({ n: 2 })
    await vi.advanceTimersByTimeAsync(1000)
    await expect(unanswered).rejects.toMatchObject({ code: "timeout" })
    const crashing = room.update({ n: 3 })
    server.crash()
    await expect(crashing).rejects.toMatchObject({ code: "update_rejected" })
    expect(codes()).toEqual(["update_rejected", "timeout", "update_rejected"])
  })

  it("survives a loss of the connection: it resolves when the update was sent again", async () => {
    const { room, server } = setup()
    server.live()
    const inFlight = room.update({ n: 1 })
    const waiting = room.update({ name: "Ada" })
    await server.reconnect()
    server.live({}, "5")
    expect(await outcome(inFlight)).toBe("pending")
    server.acknowledge("6")
    expect([await outcome(inFlight), await outcome(waiting)]).toEqual(["resolved", "pending"])
    server.acknowledge("7")
    expect(await outcome(waiting)).toBe("resolved")
  })

  it("of a value that was replaced while the connection was lost follows the newer one", async () => {
    const { room, server, updates } = setup()
    server.live()
    const older = room.update({ n: 1 })
    await server.reconnect()
    const newer = room.update({ n: 2 })
    server.live({}, "5")
    expect(updates()).toEqual([{ n: 2 }])
    expect(await outcome(older)).toBe("pending")
    server.refuseUpdate()
    expect([await outcome(older), await outcome(newer)]).toEqual(["update_rejected", "update_rejected"])
  })

  it("rejects as closed if the room is left before, in flight or not", async () => {
    const { room, server, timers } = setup()
    server.live()
    const inFlight = room.update({ n: 1 })
    const waiting = room.update({ n: 2 })
    room.leave()
    timers.advance(50)
    for (const promise of [inFlight, waiting]) {
      await expect(promise).rejects.toMatchObject({ code: "closed", reason: { code: "left" } })
    }
  })

  it("resolves if the room is taken again in time, and the next one sends the update", async () => {
    const { connection, room, server, timers, updates } = setup({}, { updateThrottleMs: 100 })
    server.live()
    room.update({ n: 1 })
    server.acknowledge("2")
    const waiting = room.update({ n: 2 })
    room.leave()
    connection.room(TOPIC, {}, { updateThrottleMs: 100 })
    timers.advance(100)
    expect(updates()).toEqual([{ n: 1 }, { n: 2 }])
    server.acknowledge("3")
    expect(await outcome(waiting)).toBe("resolved")
  })
})

describe("a patch that changes nothing", () => {
  it("is not sent, however deep it is, and resolves at once", async () => {
    const { room, server, updates } = setup()
    server.live()
    room.update({ at: { x: 1 }, name: "Ada" })
    server.acknowledge("2")
    expect(await outcome(room.update({ at: { x: 1 } }))).toBe("resolved")
    room.update({ at: { x: 1 }, name: "Ada L" })
    expect(updates()).toEqual([{ at: { x: 1 }, name: "Ada" }, { name: "Ada L" }])
  })

  it("is none if the object was changed since the last update", () => {
    const { room, server, updates } = setup()
    server.live()
    const at = { x: 1 }
    room.update({ at })
    server.acknowledge("2")
    at.x = 2
    room.update({ at })
    expect(updates()).toEqual([{ at: { x: 1 } }, { at: { x: 2 } }])
  })

  it("is the last value that goes out, whatever was in flight meanwhile", () => {
    const { room, server, updates } = setup()
    server.live()
    for (const n of [1, 2, 1]) room.update({ n })
    expect(updates()).toEqual([{ n: 1 }])
    server.acknowledge("2")
    for (const n of [2, 3, 2]) room.update({ n })
    expect(updates()).toEqual([{ n: 1 }, { n: 2 }])
    room.update({ n: 1 })
    server.acknowledge("3")
    expect(updates()).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }])
  })

  it("is not sent if the server shows it of us, also if we never sent it", async () => {
    const { room, server, updates } = setup()
    server.live({ status: "in", since: 7 })
    expect(await outcome(room.update({ status: "in" }))).toBe("resolved")
    expect(updates()).toEqual([])
  })

  it("is sent if the server has changed the field since then", () => {
    const { room, server, updates } = setup()
    server.live()
    room.update({ status: "busy" })
    server.self("2")
    server.acknowledge("2")
    server.diff({ ada: { metas: [meta("2", { status: "busy", phx_ref_prev: "1" })] } }, { ada: user("1") })
    room.update({ status: "busy" })
    expect(updates()).toHaveLength(1)
    server.self("3")
    server.diff({ ada: { metas: [meta("3", { status: "muted", phx_ref_prev: "2" })] } }, { ada: user("2") })
    room.update({ status: "busy" })
    expect(updates()).toEqual([{ status: "busy" }, { status: "busy" }])
  })

  it("is sent if the server has not applied yet what it has acknowledged", () => {
    const { room, server, updates } = setup()
    server.live({ n: 0 })
    room.update({ n: 1 })
    // Held by the server, because of its limit of updates.
    server.acknowledge("1")
    room.update({ n: 0 })
    expect(updates()).toEqual([{ n: 1 }, { n: 0 }])
  })

  it("is sent if the last answer was missing", async () => {
    const { room, server, updates } = setup()
    server.live()
    room.update({ n: 1 })
    server.acknowledge("2")
    room.update({ n: 2 })
    await vi.advanceTimersByTimeAsync(1000)
    room.update({ n: 1 })
    expect(updates()).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }])
    server.acknowledge("4")
    await server.reconnect()
    server.live({}, "5")
    expect(updates()).toEqual([{ n: 1 }])
  })
})

describe("a patch that is a function", () => {
  it("gets our own fields: what the server shows, what was given, and what is on its way", () => {
    const { room, server } = setup({ me: { name: "Ada" } })
    const seen: unknown[] = []
    const look = () => room.update((mine) => (seen.push(mine), {}))
    look()
    server.live({ name: "Ada", n: 3 })
    room.update({ status: "busy" })
    room.update({ n: 4 })
    look()
    expect(seen).toEqual([{ name: "Ada" }, { name: "Ada", n: 4, status: "busy" }])
  })

  it("counts up, however fast it is called", () => {
    const { room, server, updates } = setup()
    server.live({ n: 1 })
    for (let times = 0; times < 5; times++) room.update(({ n = 0 }) => ({ n: n + 1 }))
    server.acknowledge("2")
    expect(updates()).toEqual([{ n: 2 }, { n: 6 }])
  })

  it("sends only what it changes, if it returns all fields", async () => {
    const { room, server, updates } = setup()
    server.live({ since: 7, name: "Ada" })
    room.update((mine) => ({ ...mine, status: "busy" }))
    server.acknowledge("2")
    await server.reconnect()
    server.live({ since: 9 }, "5")
    expect(updates()).toEqual([{ status: "busy" }])
  })
})

describe("a patch that is no object", () => {
  it.each([["abc"], [null], [7], [undefined], [["a"]], [new Uint8Array(2)], [() => "abc"], [() => undefined]])(
    "is refused with bad_payload, and changes nothing: %j",
    (patch) => {
      const { room, server, updates } = setup()
      server.live()
      expect(() => room.update(patch as object)).toThrow(expect.objectContaining({ code: "bad_payload" }))
      expect(() => room.update({ n: 1, name: 1n } as never)).toThrow(expect.objectContaining({ code: "bad_payload" }))
      expect(updates()).toEqual([])
    },
  )
})

describe("a field that is undefined", () => {
  it("is removed: it is null for servers that do not know the list of removed fields", async () => {
    const { room, server, sent } = setup({ me: { status: "in" } })
    server.live({ status: "in" })
    room.update({ status: undefined, n: 1 })
    expect(sent()).toEqual([{ meta: { status: null, n: 1 }, remove: ["status"] }])
    server.acknowledge("2")
    await server.reconnect()
    expect(server.me()).toEqual({ n: 1 })
    server.live({ n: 1 }, "5")
    expect(sent()).toEqual([])
  })

  it("is removed also if only a join had it, and it is not known whether the server took it", async () => {
    const { room, server, sent } = setup({ me: { name: "Ada" } }, { key: "ada" })
    await server.reconnect()
    server.accept()
    server.state({ ada: user("1") })
    room.update({ name: undefined, status: undefined })
    expect(sent()).toEqual([{ meta: { name: null }, remove: ["name"] }])
  })

  it("is not sent if it is not there", () => {
    const { room, server, sent } = setup()
    server.live()
    room.update({ status: undefined })
    expect(sent()).toEqual([])
  })
})

describe("a field with an expiry", () => {
  it("goes back after that time to what it was, or is removed", () => {
    const { room, server, timers, sent } = setup()
    server.live({ status: "in" })
    room.update({ typing: true, status: "lunch" }, { forMs: 3000 })
    server.acknowledge("2")
    timers.advance(2999)
    expect(sent()).toHaveLength(1)
    timers.advance(1)
    expect(sent().slice(1)).toEqual([{ meta: { typing: null }, remove: ["typing"] }])
    server.acknowledge("3")
    expect(sent().slice(2)).toEqual([{ meta: { status: "in" } }])
  })

  it("stays while it is renewed, without another message, and then goes back to what it was at first", () => {
    const { room, server, timers, updates } = setup()
    server.live({ status: "in" })
    for (let times = 0; times < 5; times++) {
      room.update({ status: "lunch" }, { forMs: 3000 })
      if (times === 0) server.acknowledge("2")
      timers.advance(2000)
    }
    expect(updates()).toEqual([{ status: "lunch" }])
    timers.advance(1000)
    expect(updates()).toEqual([{ status: "lunch" }, { status: "in" }])
  })

  it("is renewed by a function, too", () => {
    const { room, server, timers, updates } = setup()
    server.live()
    room.update({ typing: true }, { forMs: 3000 })
    server.acknowledge("2")
    timers.advance(2000)
    room.update(() => ({ typing: true }), { forMs: 3000 })
    timers.advance(2000)
    expect(updates()).toEqual([{ typing: true }])
  })

  it("stays for good if it is updated without an expiry", () => {
    const { room, server, timers, updates } = setup()
    server.live()
    room.update({ status: "lunch" }, { forMs: 3000 })
    server.acknowledge("2")
    room.update({ status: "lunch" })
    timers.advance(10_000)
    expect([updates(), timers.pending]).toEqual([[{ status: "lunch" }], expect.any(Number)])
  })

  it("does not come back with a rejoin after it has expired, nor if it expired while the connection was away", async () => {
    const { room, server, timers, sent } = setup({ me: {} })
    server.live()
    room.update({ typing: true }, { forMs: 3000 })
    server.acknowledge("2")
    await server.reconnect()
    expect(server.me()).toEqual({ typing: true })
    timers.advance(3000)
    await server.reconnect()
    expect(server.me()).toEqual({})
    server.live({}, "5")
    expect(sent()).toEqual([])
    room.update({ typing: true }, { forMs: 3000 })
    server.acknowledge("6")
    timers.advance(3000)
    server.acknowledge("7")
    await server.reconnect()
    expect(server.me()).toEqual({})
    server.live({}, "8")
    expect(sent()).toEqual([])
  })

  it("goes on in the next room of the topic", () => {
    const { connection, room, server, timers, sent } = setup()
    server.live()
    room.update({ typing: true }, { forMs: 3000 })
    server.acknowledge("2")
    timers.advance(2000)
    room.leave()
    connection.room(TOPIC, {}, { updateThrottleMs: 0 })
    timers.advance(999)
    expect(sent()).toHaveLength(1)
    timers.advance(1)
    expect(sent()).toHaveLength(2)
  })

  it("leaves no timer behind when the room is left", () => {
    const { room, server, timers } = setup()
    server.live()
    const before = timers.pending
    room.update({ typing: true, n: 1 }, { forMs: 3000 })
    expect(timers.pending).toBe(before + 2)
    room.leave()
    // The connection of no room is closed after a while.
    timers.advance(50)
    timers.advance(10_000)
    expect(timers.pending).toBeLessThanOrEqual(before)
  })

  it.each([-1, Number.NaN, 2 ** 31, "3000"])("is refused if it is no delay: %j", (forMs) => {
    const { room, server, updates } = setup()
    server.live()
    expect(() => room.update({ typing: true }, { forMs: forMs as number })).toThrow(ConfigError)
    expect(updates()).toEqual([])
  })
})

describe("a field that is chosen", () => {
  it("is counted: one more than any of our devices has", () => {
    const { room, server, updates } = setup()
    server.live({ status: "in", chosen: { status: 2 } })
    server.diff({ ada: { metas: [meta("x", { status: "away", chosen: { status: 6, name: 9 } })] } })
    server.diff({ bob: { metas: [meta("y", { status: "away", chosen: { status: 60 } })] } })
    room.update({ status: "busy" }, { chosen: true })
    expect(updates()).toEqual([{ status: "busy", chosen: { status: 7 } }])
  })

  it("is not sent again if it is the latest choice already, but is if another device has chosen since then", () => {
    const { room, server, updates } = setup()
    server.live({})
    room.update({ status: "busy" }, { chosen: true })
    server.acknowledge("2")
    room.update({ status: "busy" }, { chosen: true })
    expect(updates()).toEqual([{ status: "busy", chosen: { status: 1 } }])
    server.diff({ ada: { metas: [meta("x", { status: "away", chosen: { status: 1 } })] } })
    room.update({ status: "busy" }, { chosen: true })
    expect(updates().slice(1)).toEqual([{ chosen: { status: 2 } }])
  })

  it("keeps the counters of other fields", () => {
    const { room, server, updates } = setup()
    server.live({})
    room.update({ status: "busy" }, { chosen: true })
    room.update({ name: "Ada" }, { chosen: true })
    server.acknowledge("2")
    expect(updates().slice(1)).toEqual([{ name: "Ada", chosen: { status: 1, name: 1 } }])
  })

  it.each([2 ** 53, -1, 1.5, 1e308, "9", null, {}])("does not count what is no counter: %j", (count) => {
    const { room, server, updates } = setup()
    server.live({})
    server.diff({ ada: { metas: [meta("x", { status: "away", chosen: { status: count } })] } })
    room.update({ status: "busy" }, { chosen: true })
    expect(updates()).toEqual([{ status: "busy", chosen: { status: 1 } }])
  })

  it("does not count a counter that is too far above the others to have been made by choosing", () => {
    const { room, server, updates } = setup()
    server.live({})
    const other = (ref: string, status: number) => meta(ref, { status: "away", chosen: { status } })
    server.diff({ ada: { metas: [other("x", 2 ** 53 - 1), other("y", 7)] } })
    room.update({ status: "busy" }, { chosen: true })
    expect(updates()).toEqual([{ status: "busy", chosen: { status: 8 } }])
  })
})

describe("a patch that is a function and returns all our own fields", () => {
  it("lets a field with an expiry go back in time", () => {
    const { room, server, timers, updates } = setup()
    server.live({ n: 1 })
    room.update({ typing: true }, { forMs: 3000 })
    server.acknowledge("2")
    room.update((mine) => ({ ...mine, n: 2 }))
    server.acknowledge("3")
    timers.advance(3000)
    expect(updates()).toEqual([{ typing: true }, { n: 2 }, { typing: null }])
  })

  it("does not let the fields expire that it does not change", () => {
    const { room, server, timers, sent } = setup()
    server.live({ n: 1, status: "in" })
    room.update((mine) => ({ ...mine, typing: true }), { forMs: 3000 })
    server.acknowledge("2")
    server.diff(
      { ada: { metas: [meta("3", { n: 5, status: "in", typing: true, phx_ref_prev: "2" })] } },
      { ada: user("2") },
    )
    timers.advance(3000)
    expect(sent()).toEqual([{ meta: { typing: true } }, { meta: { typing: null }, remove: ["typing"] }])
  })

  it("does not make the fields ours that the server has set, even if it changes nothing", async () => {
    const { room, server, updates } = setup()
    server.live({ n: 1 })
    room.update((mine) => ({ ...mine }))
    await server.reconnect()
    server.live({ n: 2 }, "2")
    expect(updates()).toEqual([])
  })

  it("chooses only the fields that it changes", () => {
    const { room, server, updates } = setup()
    server.live({ name: "Ada", status: "in", chosen: { name: 2 } })
    room.update((mine) => ({ ...mine, status: "busy" }), { chosen: true })
    expect(updates()).toEqual([{ status: "busy", chosen: { name: 2, status: 1 } }])
  })
})

describe("a choice with an expiry", () => {
  it("gives way to the choice of another device that was the latest before", () => {
    const { room, server, timers, updates } = setup()
    server.live({})
    room.update({ status: "in" }, { chosen: true })
    server.acknowledge("2")
    server.diff({ ada: { metas: [meta("x", { status: "away", chosen: { status: 4 } })] } })
    room.update({ status: "lunch" }, { chosen: true, forMs: 3000 })
    server.acknowledge("3")
    room.update({ name: "Ada" }, { chosen: true })
    server.acknowledge("4")
    timers.advance(3000)
    expect(updates().slice(1)).toEqual([
      { status: "lunch", chosen: { status: 5 } },
      { name: "Ada", chosen: { status: 5, name: 1 } },
      { status: "in", chosen: { status: 1, name: 1 } },
    ])
  })

  it("leaves no counter if the field was not chosen before", () => {
    const { room, server, timers, updates } = setup()
    server.live({ status: "in" })
    room.update({ status: "lunch" }, { chosen: true, forMs: 3000 })
    server.acknowledge("3")
    timers.advance(3000)
    expect(updates()).toEqual([
      { status: "lunch", chosen: { status: 1 } },
      { status: "in", chosen: {} },
    ])
  })
})

describe("fields with the names of what all objects have", () => {
  it.each(["constructor", "toString", "__proto__"])("are removed, and expire: %s", (name) => {
    const { room, server, timers, sent } = setup()
    server.live({ [name]: "a" })
    room.update({ [name]: undefined })
    server.acknowledge("2")
    room.update({ [name]: "b" }, { forMs: 1000 })
    server.acknowledge("3")
    timers.advance(1000)
    const removal = { meta: { [name]: null }, remove: [name] }
    expect(sent()).toEqual([removal, { meta: { [name]: "b" } }, removal])
  })
})
