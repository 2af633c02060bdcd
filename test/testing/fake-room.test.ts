/** The fake room for tests of applications: the real client, over a server in memory that does what a test says. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, onTestFinished, test, vi } from "vitest"
import { z } from "zod"
import { defineRoom, type Room, type RollcallError } from "../../src/client/index.ts"
import { fakeConnection, fakeRoom, type FakeRoomOptions } from "../../src/testing/index.ts"

type Person = { name: string; status?: string | undefined }

function open(options: FakeRoomOptions<Person> = {}, topic = "rooms:1") {
  const fake = fakeRoom<Person>(topic, { me: { name: "Me" }, ...options })
  onTestFinished(() => fake.connection.disconnect())
  const errors: string[] = []
  fake.room.onError(({ code }) => errors.push(code))
  return { ...fake, errors }
}

const names = (room: Room<Person>): readonly string[] =>
  room.list((key, { metas }) => `${key} ${metas.map((m) => m.name)}`)

describe("a fake room", () => {
  test("is a room of the client, and is live at once", () => {
    const { room, connection } = open({ users: { ada: { name: "Ada" } } })
    expectTypeOf(room).toEqualTypeOf<Room<Person>>()
    expect([room.status, connection.status, room.self?.key]).toEqual(["live", "open", "me"])
    expect(names(room)).toEqual(["ada Ada", "me Me"])
  })

  test("shows who joins, changes and leaves before the call returns, with its changes and causes", () => {
    const { room, join, update, leave } = open()
    const seen: string[] = []
    room.onChange((changes, cause) => seen.push(...changes.map(({ type, key }) => `${cause} ${type} ${key}`)))
    join("ada", { name: "Ada" })
    expect(names(room)).toEqual(["me Me", "ada Ada"])
    const second = join("ada", { name: "Ada's phone" })
    update("ada", { status: "busy" })
    expect(room.get("ada")?.metas.map(({ status }) => status)).toEqual([undefined, "busy"])
    update("ada", { status: undefined })
    expect(room.get("ada")?.metas[1]).not.toHaveProperty("status")
    expect(room.get("ada")?.metas[1]?.phx_ref_prev).not.toBe(second)
    leave("ada")
    expect([names(room), room.others()]).toEqual([["me Me"], []])
    expect(seen).toEqual(["join", "update", "update", "update", "leave"].map((type) => `diff ${type} ada`))
  })

  test("changes one device by its reference, also our own", () => {
    const { room, join, update, leave } = open()
    const [first, second] = [join("ada", { name: "one" }), join("ada", { name: "two" })]
    update("ada", { name: "ONE" }, first)
    leave("ada", second)
    expect(names(room)).toEqual(["me Me", "ada ONE"])
    update("me", { status: "set by the server" })
    expect(room.self?.metas[0].status).toBe("set by the server")
  })

  test("lists us under the key of the test, or not at all", async () => {
    expect(open({ key: "eve" }).room.self?.key).toBe("eve")
    const { room, updates, errors } = open({ key: null })
    expect([room.size, room.self]).toEqual([0, undefined])
    await expect(room.update({ name: "x" })).rejects.toMatchObject({ code: "update_rejected" })
    expect([updates, errors]).toEqual([[{ name: "x" }], ["update_rejected"]])
  })

  test("has what the application sent: joins, updates, pushes and broadcasts", async () => {
    const { room, joins, updates, sent } = open()
    await room.update({ status: "busy" })
    await room.broadcast("chat", { text: "hi" })
    await room.broadcast("cursor", { x: 1 }, { volatile: true })
    await room.push("bytes", new Uint8Array([1, 2]))
    expect(joins).toEqual([{ me: { name: "Me" } }])
    expect(updates).toEqual([{ status: "busy" }])
    expect(sent).toEqual([
      { event: "presence_update", payload: { meta: { status: "busy" } } },
      { event: "chat", payload: { text: "hi" } },
      { event: "cursor", payload: { x: 1 } },
      { event: "bytes", payload: new Uint8Array([1, 2]) },
    ])
    expect(room.self?.metas[0]).toMatchObject({ name: "Me", status: "busy" })
  })

  test("delivers the messages of others, JSON and bytes", () => {
    const { room, send } = open()
    const got: unknown[] = []
    room.on("cursor", (payload) => got.push(payload))
    send("cursor", { x: 1, from: "ada" })
    send("cursor", new Uint8Array([7]))
    expect(got).toEqual([{ x: 1, from: "ada" }, new Uint8Array([7]).buffer])
  })

  test("answers as the test says: with a response, a refusal, or never", async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const { room, answer, errors } = open()
    answer("sum", (payload) => ({ ok: { sum: Object.values(payload as object).reduce((a, b) => a + b, 0) } }))
    await expect(room.push("sum", { a: 1, b: 2 })).resolves.toEqual({ sum: 3 })
    answer("sum", { error: { reason: "too tired" } })
    await expect(room.push("sum")).rejects.toMatchObject({ code: "push_rejected", reason: { reason: "too tired" } })
    answer("sum", undefined)
    const late = expect(room.push("sum", {}, 1000)).rejects.toMatchObject({ code: "timeout" })
    await vi.advanceTimersByTimeAsync(1000)
    await late
    answer("presence_update", { error: { reason: "field not allowed" } })
    await expect(room.update({ status: "x" })).rejects.toMatchObject({ code: "update_rejected" })
    expect([errors, room.self?.metas[0].status]).toEqual([["update_rejected"], undefined])
  })

  test("refuses our updates after the server has ended our presence, until the next join", async () => {
    const { room, leave, setStatus, updates, errors } = open({ room: { updateThrottleMs: 0 } })
    leave("me")
    expect([room.self, room.size, room.status]).toEqual([undefined, 0, "live"])
    await expect(room.update({ status: "x" })).rejects.toMatchObject({
      code: "update_rejected",
      reason: { reason: "not tracked" },
    })
    setStatus("stale")
    setStatus("live")
    await room.update({ status: "y" })
    expect([room.self?.metas[0].status, updates.length, errors]).toEqual(["y", 2, ["update_rejected"]])
  })

  test("has the names of events that its room has: of updates, states and diffs", async () => {
    const events = { state: "here", diff: "moved" }
    const { room, join, leave, updates } = open({ room: { updateEvent: "set", events, updateThrottleMs: 0 } })
    join("ada", { name: "Ada" })
    await room.update({ status: "x" })
    expect([room.status, names(room), updates]).toEqual(["live", ["me Me", "ada Ada"], [{ status: "x" }]])
    expect(room.self?.metas[0].status).toBe("x")
    leave("ada")
    expect(names(room)).toEqual(["me Me"])
  })

  test("is refused if the answer to its join is an error", async () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    fake.topic("rooms:1").answer("phx_join", { error: { reason: "private" } })
    const room = fake.connection.room("rooms:1")
    await expect(room.ready).rejects.toMatchObject({ code: "join_rejected" })
    expect([room.status, room.reason]).toEqual(["closed", { code: "rejected", detail: { reason: "private" } }])
  })

  test.for([
    ["joining", "live"],
    ["live", "stale", "live", "stale", "live"],
    ["live", "closed"],
  ] as const)("has these statuses, one after the other, and keeps its users: %j", ([first, ...rest]) => {
    const { room, setStatus } = open({ status: first, users: { ada: { name: "Ada" } } })
    expect(room.status).toBe(first)
    for (const status of rest) {
      setStatus(status)
      expect([room.status, room.size]).toEqual([status, 2])
    }
  })

  test("refuses to be joining once more", () => {
    const { setStatus } = open()
    expect(() => setStatus("joining")).toThrow("expected live, stale or closed, got joining")
  })

  test("joins again with the truth: who came and went while the connection was cut is one resync", () => {
    const { room, join, leave, setStatus } = open({ users: { ada: { name: "Ada" } } })
    const seen: string[] = []
    room.onChange((changes, cause) => seen.push(...changes.map(({ type, key }) => `${cause} ${type} ${key}`)))
    setStatus("stale")
    join("bob", { name: "Bob" })
    leave("ada")
    expect([names(room), seen]).toEqual([["ada Ada", "me Me"], []])
    setStatus("live")
    expect([...names(room)].sort()).toEqual(["bob Bob", "me Me"])
    expect(seen.sort()).toEqual(["resync join bob", "resync leave ada"])
  })

  test("crashes, and joins again", async () => {
    const { room, crash, join } = open({ options: { rejoinAfterMs: () => 0 } })
    crash("out of memory")
    expect([room.status, room.reason]).toEqual(["stale", { code: "crashed", detail: "out of memory" }])
    await expect.poll(() => room.status).toBe("live")
    join("ada", { name: "Ada" })
    expect(room.size).toBe(2)
  })

  test("reports what a server can do wrong", () => {
    const reported: RollcallError[] = []
    const { send, fake, connection, errors } = open()
    connection.onError((error) => reported.push(error))
    send("presence_diff", { joins: 1 })
    fake.receive("{")
    expect([errors, reported.map(({ code }) => code)]).toEqual([["bad_frame"], ["bad_frame"]])
  })

  test("names a user that is not there", () => {
    const { update, leave } = open()
    expect(() => update("ada", { name: "x" })).toThrow("expected ada to be in rooms:1, got nobody; call join first")
    expect(() => leave("me", "7")).toThrow("expected me with the reference 7 to be in rooms:1, got nobody")
  })

  test("gives what the connection and a defined room do, too: refusals, counts, schemas", async () => {
    const lobby = defineRoom("lobby:*", { meta: z.object({ name: z.string() }) })
    const fake = fakeConnection({ key: null })
    const { connection } = fake
    onTestFinished(() => connection.disconnect())
    const room = connection.room(lobby.topic("1"), { me: { name: "Me" } }, { definition: lobby })
    const count = connection.count("rooms:2", { by: "status" })
    const two = fake.topic<Person>("rooms:2")
    two.join("ada", { name: "Ada", status: "busy" })
    two.join("bob", { name: "Bob", status: "busy" })
    expect([count.getSnapshot().total, count.getSnapshot().by]).toEqual([2, { busy: 2 }])
    fake.topic<Person>("lobby:1").join("ada", { name: "Ada" })
    const name: string | undefined = room.get("ada")?.metas[0].name
    expect(name).toBe("Ada")
    fake.refuse("signed out")
    expect([connection.status, connection.reason, room.status]).toEqual([
      "refused",
      { code: "refused", detail: "signed out" },
      "stale",
    ])
    fake.restore()
    expect([connection.status, room.status]).toEqual(["open", "live"])
  })
})

describe("with fake timers", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test("a grace period hides a leave until its time has come, and no timer is left at the end", async () => {
    const { room, join, leave, connection } = open({ room: { graceMs: 5000 } })
    join("ada", { name: "Ada" })
    leave("ada")
    vi.advanceTimersByTime(4999)
    expect(room.size).toBe(2)
    vi.advanceTimersByTime(1)
    expect(room.size).toBe(1)
    connection.disconnect()
    await vi.advanceTimersByTimeAsync(3000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test("updates are throttled, and the last one is sent", async () => {
    const { room, updates } = open()
    for (const status of ["a", "b", "c"]) void room.update({ status })
    expect(updates).toEqual([{ status: "a" }])
    await vi.advanceTimersByTimeAsync(100)
    expect(updates).toEqual([{ status: "a" }, { status: "c" }])
  })

  test("a connection stays up over hours, because its heartbeats are answered", async () => {
    const { room, connection } = open()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([room.status, connection.status]).toEqual(["live", "open"])
  })
})
