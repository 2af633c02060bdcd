/** Rooms that components hold: when they are joined and left, and what they show before that. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect, sortBy, type Connection, type Entry } from "../../src/client/index.ts"
import { createHeldRooms, type HeldRoomOptions } from "../../src/client/held-room.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket } from "../support/scripted-websocket.ts"

const TOPIC = "rooms:1"
const LINGER_MS = 50
const AWAITED_MS = 1000
const ADA: Entry = { key: "ada", metas: [{ name: "Ada", phx_ref: "0" }] }
const connections: Connection[] = []

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal("window", {})
})
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const passing = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
/** Passes the current turn, after which what nobody holds is given up. */
const turn = (): Promise<unknown> => passing(0)

function setup() {
  const { transport, sockets, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, random: () => 0.5 })
  connections.push(connection)
  const rooms = createHeldRooms(connection)
  const all = (event: string) => sockets.flatMap((socket) => socket.all(event))
  return {
    sockets,
    latest,
    room: (options: HeldRoomOptions = {}) => rooms(TOPIC, options),
    counts: () => [all("phx_join").length, all("phx_leave").length],
    all,
  }
}

/** Answers the last join with this state. */
function live(socket: ScriptedWebSocket, state: object): void {
  if (socket.readyState === 0) socket.open()
  const join = socket.last("phx_join")
  socket.reply(join)
  socket.receive(join.joinRef, null, TOPIC, "presence_state", state)
}

const keysOf = (room: { list(chooser: (key: string) => string): readonly string[] }) => room.list((key) => key)

describe("a held room", () => {
  it("notifies of a user once, of one among the initial users that is not there, too, and not after the end", async () => {
    const { room, latest } = setup()
    const bob: Entry = { key: "bob", metas: [{ phx_ref: "9" }] }
    const held = room({ initialUsers: [ADA, bob] })
    expect(held.isLost).toBe(false)
    const calls: string[] = []
    const undo = ["ada", "bob", "cyd", "ada"].map((key, at) =>
      held.user(key).subscribe(() => calls.push(`${at} ${key}`)),
    )
    undo[3]!()
    live(latest(), { ada: user("1") })
    await turn()
    expect(calls.sort()).toEqual(["0 ada", "1 bob"])
  })

  it("is not joined by anything that reads it", async () => {
    const { room, sockets } = setup()
    const held = room({ initialUsers: [ADA], key: "ada" })
    expect([held.status, held.size, held.reason, held.topic]).toEqual(["joining", 1, undefined, TOPIC])
    expect([held.get("ada"), held.self, held.others(), held.list()]).toEqual([ADA, ADA, [], [ADA]])
    expect(held.getSnapshot()).toBe(held.getSnapshot())
    expect([held.user("ada").getSnapshot(), held.select(({ size }) => size).getSnapshot()]).toEqual([ADA, 1])
    await passing(60_000)
    expect(sockets).toEqual([])
  })

  it("is joined once, however many hold it, and left when the last has let go", async () => {
    const { room, latest, counts } = setup()
    const undo = [room().hold(), room().hold(), room().subscribe(() => {})]
    live(latest(), { bob: user("1") })
    expect(keysOf(room())).toEqual(["bob"])
    undo[0]!()
    undo[1]!()
    await passing(1000)
    expect(counts()).toEqual([1, 0])
    undo[2]!()
    await passing(LINGER_MS)
    expect(counts()).toEqual([1, 1])
  })

  it("keeps its room, its view and its promise if it is let go and held again in one turn", async () => {
    const { room, latest, counts } = setup()
    const held = room()
    const first = held.hold()
    live(latest(), { bob: user("1") })
    const [snapshot, ready] = [held.getSnapshot(), held.ready]
    first()
    const second = held.hold()
    await turn()
    expect([held.getSnapshot() === snapshot, held.ready === ready, held.status]).toEqual([true, true, "live"])
    second()
    await turn()
    expect([held.status, held.size]).toEqual(["joining", 0])
    expect(counts()).toEqual([1, 0])
  })

  it("has its former view at once if it is held again while it lingers, with params of a function, too", async () => {
    const { room, latest, counts } = setup()
    const params = () => ({ token: "t" })
    const first = room({ params }).hold()
    live(latest(), { bob: user("1") })
    first()
    await passing(LINGER_MS - 1)
    room({ params: () => ({ token: "t" }) }).hold()
    expect([room().status, keysOf(room())]).toEqual(["live", ["bob"]])
    await passing(1000)
    expect(counts()).toEqual([1, 0])
  })

  it("joins with the options that were given last, and does not join anew because of others", async () => {
    const { room, latest, counts, all } = setup()
    room({ params: { token: "1" }, me: { name: "Ada" } })
    room({ params: { token: "2" } }).hold()
    latest().open()
    expect(latest().last("phx_join").payload).toEqual({ token: "2", me: { name: "Ada" } })
    live(latest(), { bob: user("1") })
    room({ params: { token: "3" } })
    await passing(1000)
    expect(counts()).toEqual([1, 0])
    latest().drop()
    await passing(1000)
    latest().open()
    expect(all("phx_join").at(-1)!.payload).toMatchObject({ token: "3" })
  })

  it("awaits params that a function promises", async () => {
    const { room, latest } = setup()
    room({ params: async () => ({ token: "t" }), me: { name: "Ada" } }).hold()
    latest().open()
    await turn()
    expect(latest().last("phx_join").payload).toEqual({ token: "t", me: { name: "Ada" } })
  })

  it("shows the initial users until the first view, and tells the listeners of each", () => {
    const { room, latest } = setup()
    const held = room({ initialUsers: [ADA] })
    const seen: string[] = []
    held.subscribe(() => seen.push(`snapshot ${keysOf(held).join()}`))
    held.user("ada").subscribe(() => seen.push(`ada ${held.get("ada")?.key}`))
    held.onChange((changes, cause) => seen.push(`${cause} ${changes.map(({ type, key }) => `${type} ${key}`).join()}`))
    expect([held.status, keysOf(held)]).toEqual(["joining", ["ada"]])
    live(latest(), { bob: user("1") })
    return turn().then(() => {
      expect(keysOf(held)).toEqual(["bob"])
      expect(seen).toContain("initial join bob,leave ada")
      expect(seen).toContain("snapshot bob")
      expect(seen).toContain("ada undefined")
    })
  })

  it("can be sorted: from its initial users to the first view, and from a view that it has at once", async () => {
    const { room, latest } = setup()
    const byKey = (a: Entry, b: Entry): number => (a.key < b.key ? -1 : 1)
    const sorted = sortBy(room({ initialUsers: [ADA] }), byKey)
    const shown = () => sorted.getSnapshot().map(({ key }) => key)
    expect(shown()).toEqual(["ada"])
    const undo = sorted.subscribe(() => {})
    live(latest(), { cid: user("2"), bob: user("1") })
    expect(shown()).toEqual(["bob", "cid"])
    undo()
    await passing(LINGER_MS - 1)
    const again = sortBy(room(), byKey)
    expect(again.getSnapshot()).toEqual([ADA])
    again.subscribe(() => {})
    expect(again.getSnapshot().map(({ key }) => key)).toEqual(["bob", "cid"])
  })

  it("takes a call before it is held, as the effect of a child makes it", async () => {
    const { room, latest, counts } = setup()
    room().update({ name: "Ada" })
    const pushed = room().push("hello")
    room().hold()
    await turn()
    live(latest(), {})
    await passing(1000)
    expect(latest().last("presence_update").payload).toEqual({ meta: { name: "Ada" } })
    latest().reply(latest().last("hello"), { hi: true })
    expect(await pushed).toEqual({ hi: true })
    expect(counts()).toEqual([1, 0])
  })

  it("is closed for calls when it was left: a late call does not join it again", async () => {
    const { room, latest, counts } = setup()
    const held = room()
    const undo = held.hold()
    live(latest(), {})
    undo()
    await passing(LINGER_MS + 1)
    expect(() => held.update({})).toThrow(expect.objectContaining({ code: "closed" }))
    await expect(held.push("late")).rejects.toMatchObject({ code: "closed" })
    await passing(1000)
    expect(counts()).toEqual([1, 1])
    expect(room()).not.toBe(held)
  })

  it("sends what changed of me, and undefined for what is gone", async () => {
    const { room, latest } = setup()
    const held = room({ me: { name: "Ada", color: "red" } })
    held.hold()
    live(latest(), {})
    const sent: unknown[] = []
    Object.assign(held, { update: (patch: unknown) => sent.push(patch) })
    held.updateMe({ name: "Ada", tags: ["a"] }, { name: "Ada", tags: ["a"] })
    held.updateMe({ name: "Ada", color: "red", tags: ["a"] }, { name: "Ada L.", tags: ["a", "b"] })
    held.updateMe(undefined, undefined)
    expect(sent).toEqual([{ name: "Ada L.", color: undefined, tags: ["a", "b"] }])
  })

  it("throws for options that the connection refuses, and is not held then", async () => {
    const { room, counts } = setup()
    const held = room({ timeout: -1 })
    expect(() => held.hold()).toThrow(expect.objectContaining({ code: "config" }))
    room({ timeout: 1000 }).hold()
    await turn()
    expect(counts()).toEqual([0, 0])
    expect(held.status).toBe("joining")
  })
})

describe("ready of a held room", () => {
  it("joins the room for a component that waits, and leaves it a second after the view if no component came", async () => {
    const { room, latest, counts, sockets } = setup()
    const { ready } = room()
    expect(room().ready).toBe(ready)
    expect(sockets).toEqual([])
    await turn()
    live(latest(), { bob: user("1") })
    expect(keysOf({ list: (chooser) => room().list(chooser) })).toEqual(["bob"])
    expect((await ready).size).toBe(1)
    await passing(AWAITED_MS + LINGER_MS + 1)
    expect(counts()).toEqual([1, 1])
  })

  it("leaves it to the component that came", async () => {
    const { room, latest, counts } = setup()
    void room().ready
    await turn()
    live(latest(), { bob: user("1") })
    await turn()
    room().hold()
    await passing(60_000)
    expect(counts()).toEqual([1, 0])
  })

  it("rejects if the join is refused, always with the same promise while it matters", async () => {
    const { room, latest } = setup()
    const { ready } = room()
    await turn()
    latest().open()
    latest().reply(latest().last("phx_join"), { reason: "banned" }, "error")
    await expect(ready).rejects.toMatchObject({ code: "join_rejected" })
    expect(room().ready).toBe(room().ready)
    await expect(room().ready).rejects.toMatchObject({ code: "join_rejected" })
  })

  it("has resolved on a server, where React reads it at once, and joins nothing there", async () => {
    vi.unstubAllGlobals()
    const { room, sockets } = setup()
    const { ready } = room({ initialUsers: [ADA] })
    expect(ready).toMatchObject({ status: "fulfilled", value: { size: 1 } })
    expect((await ready).users).toEqual([ADA])
    await passing(60_000)
    expect(sockets).toEqual([])
  })
})
