/** What a room shows of a leave: `graceMs` holds it, `keepLeftMs` keeps the user, `lostConnectionMs` reports a lost connection. */
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest"
import {
  connect,
  defineRoom,
  type StandardSchema,
  type Change,
  type Entry,
  type Room,
  type RoomOptions,
} from "../../src/client/index.ts"
import { createGrace } from "../../src/client/grace.ts"
import { createStore } from "../../src/client/store.ts"
import { clock } from "../support/clock.ts"
import { liveRoom } from "../support/live-room.ts"
import { meta } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const of = (...metas: object[]) => ({ metas })
const ada = (ref: string, device = "laptop") => of(meta(ref, { device }))

const brief = (changes: readonly Change[]) => changes.map(({ type, key }) => `${type} ${key}`)
const refs = (user: Entry | undefined) => user?.metas.map(({ phx_ref }) => phx_ref)
const present = (room: Room) => room.list((key, user) => (user.leftAt === undefined ? [key] : [])).flat()

function setup(options: RoomOptions) {
  const all = liveRoom(options)
  const { room, timers } = all
  const calls: string[] = []
  let snapshots = 0
  room.onChange((changes, cause) => calls.push(`${timers.now()} ${cause}: ${brief(changes).join(", ")}`))
  room.subscribe(() => snapshots++)
  /** The number of timers beside those of a room that is live. */
  let others = 0
  return {
    ...all,
    received: () => calls.splice(0),
    snapshots: () => snapshots,
    live(state: object) {
      all.state(state)
      calls.length = 0
      others = timers.pending
    },
    set: () => timers.pending - others,
  }
}

describe("graceMs", () => {
  const inRoom = (state: object = { ada: ada("1"), bob: ada("2") }) => {
    const all = setup({ graceMs: 100 })
    all.live(state)
    return all
  }

  it("shows a leave only after its time, and one leave for all devices of a user", () => {
    const { room, diff, timers, received } = inRoom({ ada: of(meta("1"), meta("2")), bob: ada("3") })
    diff({}, { ada: of(meta("1"), meta("2")) })
    timers.advance(99)
    expect([present(room), room.size, received()]).toEqual([["ada", "bob"], 2, []])
    timers.advance(1)
    expect([present(room), room.size, received()]).toEqual([["bob"], 1, ["100 diff: leave ada"]])
  })

  it("shows nothing of a user that left and returned in time: no change, no new snapshot while it was away", () => {
    const { room, diff, timers, set, received, snapshots } = inRoom()
    const [snapshot, count] = [room.getSnapshot(), snapshots()]
    diff({}, { ada: ada("1") })
    timers.advance(99)
    expect([room.getSnapshot() === snapshot, snapshots()]).toEqual([true, count])
    diff({ ada: ada("3") })
    timers.advance(1000)
    expect([received(), refs(room.get("ada")), set()]).toEqual([[], ["3"], 0])
  })

  it("shows one update if the user returned with other fields, or with another number of devices", () => {
    const { room, diff, received } = inRoom()
    const changes: Change[] = []
    room.onChange((all) => changes.push(...all))
    diff({}, { ada: ada("1"), bob: ada("2") })
    diff({ ada: ada("3", "phone") })
    diff({ bob: of(meta("4", { device: "laptop" }), meta("5", { device: "phone" })) })
    expect(received()).toEqual(["0 diff: update ada", "0 diff: update bob"])
    expect(changes.map(({ previous, current }) => [refs(previous), refs(current)])).toEqual([
      [["1"], ["3"]],
      [["2"], ["4", "5"]],
    ])
  })

  it("shows joins, updates and further devices at once, also of a user with a leave that is held", () => {
    const { room, diff, timers, received } = inRoom({ ada: of(meta("1"), meta("2")) })
    diff({}, { ada: of(meta("1")) })
    diff({ ada: of(meta("3", { phx_ref_prev: "2", n: 1 })) }, { ada: of(meta("2")) })
    diff({ cyd: ada("4") })
    expect([refs(room.get("ada")), received()]).toEqual([
      ["1", "3"],
      ["0 diff: update ada", "0 diff: join cyd"],
    ])
    timers.advance(100)
    expect([refs(room.get("ada")), received()]).toEqual([["3"], ["100 diff: update ada"]])
  })

  it("holds the leave of one of several devices: their number does not flicker, and their order stays", () => {
    const { room, diff, timers, received } = inRoom({ ada: of(meta("1", { n: 1 }), meta("2", { n: 2 }), meta("3")) })
    diff({}, { ada: of(meta("1")) })
    expect([refs(room.get("ada")), received()]).toEqual([["1", "2", "3"], []])
    diff({}, { ada: of(meta("2")) })
    diff({ ada: of(meta("4", { n: 2 })) })
    expect([refs(room.get("ada")), received()]).toEqual([["1", "4", "3"], []])
    timers.advance(100)
    expect([refs(room.get("ada")), received()]).toEqual([["3", "4"], ["100 diff: update ada"]])
  })

  it("gives a returning device the place of the one with equal content, so that no other device seems to change", () => {
    const devices = [meta("1", { n: 1, phx_ref_prev: "0", z: 1 }), meta("2", { n: 2 }), meta("3", { n: 2 })]
    const { room, diff, received } = inRoom({ ada: of(...devices) })
    diff({}, { ada: of(...devices) })
    const shown = () => room.get("ada")!.metas.map((each) => each["n"])
    for (const device of [meta("4", { n: 2 }), meta("5", { n: 2 }), meta("6", { n: 1, z: 1 })]) {
      diff({ ada: of(device) })
      expect([...shown()].sort()).toEqual([1, 2, 2])
    }
    expect(refs(room.get("ada"))).toEqual(["4", "5", "6"])
    // The order of the devices is the server's in the end.
    expect(received()).toEqual(["0 diff: update ada"])
  })

  it("holds what a schema has made and JSON cannot write", () => {
    const schema = {
      "~standard": { version: 1, vendor: "test", validate: (value: object) => ({ value: { ...value, n: 1n } }) },
    }
    const definition = defineRoom("rooms:*", { meta: schema as StandardSchema<object> })
    const { room, diff, state, timers, errors } = setup({ definition, graceMs: 100 })
    state({ ada: of(meta("1"), meta("2")) })
    diff({}, { ada: of(meta("1")) })
    diff({ ada: of(meta("3")) })
    diff({}, { ada: of(meta("2")) })
    expect(refs(room.get("ada"))).toEqual(["2", "3"])
    timers.advance(100)
    expect([refs(room.get("ada")), errors]).toEqual([["3"], []])
  })

  it("holds what is nested too deeply to be compared", () => {
    const { room, connection, diff, state, timers, errors } = setup({ graceMs: 100 })
    const deep = "[".repeat(100_000) + "]".repeat(100_000)
    const join = (key: string, ...refs: string[]) => {
      const metas = refs.map((ref) => `{"deep":${deep},"phx_ref":"${ref}"}`).join()
      const data = `[null,null,"rooms:1","presence_diff",{"joins":{"${key}":{"metas":[${metas}]}},"leaves":{}}]`
      ;(connection.socket.conn as { onmessage(event: object): void }).onmessage({ data })
    }
    state({})
    join("ada", "1", "2")
    diff({ ada: of(meta("3"), meta("4")) })
    diff({}, { ada: of(meta("1"), meta("4")) })
    join("ada", "5")
    join("bob", "6")
    diff({}, { bob: of(meta("6")) })
    expect([refs(room.get("ada")), room.size]).toEqual([["5", "2", "3", "4"], 2])
    timers.advance(100)
    expect([refs(room.get("ada")), room.size, errors]).toEqual([["2", "3", "5"], 1, []])
  })

  it("shows a further device beside one of equal content, while others that left are held", () => {
    const { room, diff } = inRoom({ ada: of(meta("1", { n: 1 }), meta("2", { n: 2 }), meta("3", { n: 3 })) })
    diff({}, { ada: of(meta("2"), meta("3")) })
    diff({ ada: of(meta("4", { n: 1 })) })
    expect(refs(room.get("ada"))).toEqual(["1", "4", "3"])
  })

  it("prolongs the time of a device that left only by a further leave of its user, not by its other changes", () => {
    const { room, diff, timers } = inRoom({ ada: of(meta("1"), meta("2", { n: 0 }), meta("3")) })
    diff({}, { ada: of(meta("1")) })
    timers.advance(60)
    diff({ ada: of(meta("4", { phx_ref_prev: "2", n: 1 })) }, { ada: of(meta("2")) })
    timers.advance(40)
    expect(refs(room.get("ada"))).toEqual(["3", "4"])
    diff({}, { ada: of(meta("3")) })
    timers.advance(60)
    diff({}, { ada: of(meta("4")) })
    timers.advance(60)
    expect(room.get("ada")).toBeDefined()
    timers.advance(40)
    expect(room.get("ada")).toBe(undefined)
  })

  it("shows nothing of a deploy: everybody leaves and returns, before or after a rejoin of our own", async () => {
    const users = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`user ${n}`, ada(`1.${n}`)]))
    const { room, state, diff, rejoin, timers, set, received } = inRoom(users)
    const keys = present(room)
    diff({}, Object.fromEntries(Object.entries(users).slice(0, 20)))
    await rejoin()
    state({ "user 0": ada("2.0") })
    timers.advance(50)
    expect(present(room)).toEqual(keys)
    diff(Object.fromEntries(Object.keys(users).map((key, n) => [key, ada(`2.${n}`)])))
    timers.advance(4900)
    expect([received(), present(room), room.size, set() <= 0]).toEqual([[], keys, 50, true])
  })

  it("leaves the causes of changes, and what they say of devices that were replaced twice, as they are", async () => {
    const { state, diff, rejoin, room, received } = setup({ graceMs: 100 })
    state({})
    diff({ ada: of(meta("1", { n: 1 })) })
    const changes: Change[] = []
    room.onChange((all) => changes.push(...all))
    const steps = [meta("2", { n: 2, phx_ref_prev: "1" }), meta("3", { n: 3, phx_ref_prev: "2" })]
    diff({ ada: of(...steps) }, { ada: of(meta("1"), meta("2")) })
    expect(changes).toMatchObject([
      { added: [], removed: [], replaced: [{ previous: { phx_ref: "1" }, current: { phx_ref: "3" }, fields: ["n"] }] },
    ])
    await rejoin()
    state({ ada: of(meta("4", { n: 4 })) })
    expect(received()).toEqual(["0 initial: ", "0 diff: join ada", "0 diff: update ada", "0 resync: update ada"])
  })

  it("holds the leave of a user that is missing in the state after a rejoin", async () => {
    const { room, state, rejoin, timers, received } = inRoom()
    await rejoin()
    state({ bob: ada("3") })
    timers.advance(99)
    expect([present(room), received()]).toEqual([["ada", "bob"], []])
    timers.advance(1)
    expect([present(room), received()]).toEqual([["bob"], ["100 diff: leave ada"]])
  })

  it("shows no leave while our own connection is down, because a return could not be seen", async () => {
    const { room, state, diff, rejoin, timers, received } = inRoom()
    diff({}, { ada: ada("1") })
    timers.advance(50)
    const isBack = rejoin()
    timers.advance(1000)
    expect([room.status, present(room)]).toEqual(["stale", ["ada", "bob"]])
    await isBack
    state({ bob: ada("2") })
    timers.advance(99)
    expect([present(room), received()]).toEqual([["ada", "bob"], []])
    timers.advance(1)
    expect(received()).toEqual(["1150 diff: leave ada"])
  })

  it("sets one timer for any number of leaves, and none once the room is left", () => {
    const users = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`user ${n}`, ada(`${n}`)]))
    const { room, diff, timers, set, received } = inRoom(users)
    for (const [key, user] of Object.entries(users)) {
      diff({}, { [key]: user })
      timers.advance(0.05)
    }
    expect(set()).toBe(1)
    timers.advance(75)
    expect([set(), room.size < 1000, room.size > 0]).toEqual([1, true, true])
    received()
    const { size } = room
    room.leave()
    timers.advance(4000)
    expect([received(), room.size, set() <= 0]).toEqual([[], size, true])
  })

  it("ends the timer of a room that the server closes", () => {
    const { room, diff, receive, timers, set } = inRoom()
    diff({}, { ada: ada("1") })
    expect(set()).toBe(1)
    receive("phx_close", {})
    expect(set()).toBeLessThanOrEqual(0)
    timers.advance(3000)
    expect([room.status, present(room)]).toEqual(["closed", ["ada", "bob"]])
  })

  it("goes on in the next room of a topic that is left and taken again at once", () => {
    const { room, connection, diff, timers } = inRoom()
    diff({}, { ada: ada("1") })
    timers.advance(60)
    room.leave()
    timers.advance(30)
    const next = connection.room("rooms:1", {}, { graceMs: 100 })
    expect([room.status, present(next)]).toEqual(["closed", ["ada", "bob"]])
    timers.advance(9)
    expect(present(next)).toEqual(["ada", "bob"])
    timers.advance(1)
    expect([present(next), present(room)]).toEqual([["bob"], ["ada", "bob"]])
    diff({ ada: ada("3") })
    expect(refs(next.get("ada"))).toEqual(["3"])
  })
})

describe("keepLeftMs", () => {
  beforeEach(() => vi.spyOn(Date, "now").mockReturnValue(1_700_000_000_000))
  afterEach(() => void vi.restoreAllMocks())

  const inRoom = (options: RoomOptions = { keepLeftMs: 100 }) => {
    const all = setup(options)
    all.live({ ada: ada("1"), bob: ada("2") })
    return all
  }

  it("keeps a user that left in the view, marked with when it left and not counted, and then removes it", () => {
    const { room, diff, timers, set, received } = inRoom()
    const changes: Change[] = []
    room.onChange((all) => changes.push(...all))
    const before = room.get("ada")
    diff({}, { ada: ada("1") })
    const marked = room.get("ada")!
    expect(marked).toEqual({ ...before, leftAt: 1_700_000_000_000 })
    expect([Object.isFrozen(marked), marked.metas[0] === before!.metas[0]]).toEqual([true, true])
    expect([room.size, room.getSnapshot().size, room.list().map(({ key }) => key)]).toEqual([1, 1, ["ada", "bob"]])
    timers.advance(99)
    expect(room.get("ada")).toBe(marked)
    timers.advance(1)
    expect([room.get("ada"), room.size, room.list().length]).toEqual([undefined, 1, 1])
    expect(received()).toEqual(["0 diff: leave ada", "100 diff: remove ada"])
    expect(changes).toEqual([
      { type: "leave", key: "ada", previous: before, current: marked },
      { type: "remove", key: "ada", previous: marked, current: undefined },
    ])
    expect(set()).toBe(0)
  })

  it("reports the return of such a user as a join, with the marked entry as the previous one", () => {
    const { room, diff, timers, received } = inRoom()
    diff({}, { ada: ada("1") })
    const marked = room.get("ada")
    const changes: Change[] = []
    room.onChange((all) => changes.push(...all))
    timers.advance(99)
    diff({ ada: ada("1") })
    expect(changes).toEqual([{ type: "join", key: "ada", previous: marked, current: room.get("ada") }])
    expect([room.get("ada")?.leftAt, room.size, present(room)]).toEqual([undefined, 2, ["ada", "bob"]])
    timers.advance(1000)
    expect(received()).toEqual(["0 diff: leave ada", "99 diff: join ada"])
  })

  it("begins when the leave is shown, with the time at which the user left", () => {
    const { room, diff, timers, received } = inRoom({ graceMs: 50, keepLeftMs: 100 })
    diff({}, { ada: ada("1") })
    vi.spyOn(Date, "now").mockReturnValue(1_700_000_000_999)
    timers.advance(50)
    expect(room.get("ada")?.leftAt).toBe(1_700_000_000_000)
    timers.advance(99)
    expect(room.list()).toHaveLength(2)
    timers.advance(1)
    expect([room.list().length, received()]).toEqual([1, ["50 diff: leave ada", "150 diff: remove ada"]])
  })

  it("needs no second timer for a leave that is due earlier than the end of a kept user", () => {
    const { diff, timers, set, received } = inRoom({ graceMs: 50, keepLeftMs: 100 })
    diff({}, { ada: ada("1") })
    timers.advance(60)
    diff({}, { bob: ada("2") })
    expect(set()).toBe(1)
    timers.advance(50)
    expect([set(), received()]).toEqual([1, ["50 diff: leave ada", "110 diff: leave bob"]])
    timers.advance(100)
    expect([set(), received()]).toEqual([0, ["150 diff: remove ada", "210 diff: remove bob"]])
  })

  it("keeps at most 1000 users, the latest", () => {
    const { room, state, diff, timers, received } = inRoom()
    const users = Object.fromEntries(Array.from({ length: 1500 }, (_, n) => [`user ${n}`, ada(`u${n}`)]))
    state({ ada: ada("1"), bob: ada("2"), ...users })
    diff({}, { ada: ada("1") })
    received()
    diff({}, users)
    expect([room.size, room.list().length]).toEqual([1, 1001])
    expect(room.get("ada")).toBe(undefined)
    expect([room.get("user 499"), room.get("user 500")?.leftAt]).toEqual([undefined, 1_700_000_000_000])
    const [changes] = received()
    expect([changes!.split("leave").length - 1, changes!.split("remove").length - 1]).toEqual([1500, 1])
    diff({ "user 500": ada("500b") }, { bob: ada("2") })
    expect([room.size, room.list().length, room.get("user 501")?.leftAt]).toEqual([1, 1001, 1_700_000_000_000])
    expect(received()).toEqual(["0 diff: join user 500, leave bob"])
    diff({ bob: ada("3") }, { "user 500": ada("500b") })
    expect([room.size, room.list().length, room.get("user 501")?.leftAt]).toEqual([1, 1001, 1_700_000_000_000])
    timers.advance(100)
    expect(room.list()).toHaveLength(1)
  })

  it("keeps a user through a rejoin whose state lacks it, and removes it also while the connection is down", async () => {
    const { room, state, diff, rejoin, timers, received } = inRoom()
    diff({}, { ada: ada("1") })
    timers.advance(50)
    await rejoin()
    state({ bob: ada("2") })
    expect([room.size, room.list().length]).toEqual([1, 2])
    const isBack = rejoin()
    timers.advance(50)
    expect([room.status, room.list().length]).toEqual(["stale", 1])
    await isBack
    expect(received()).toEqual(["0 diff: leave ada", "100 diff: remove ada"])
  })

  it("is not confused by a field leftAt that the server sends", () => {
    const { room, state } = inRoom()
    state({ ada: { ...ada("1"), leftAt: 1 }, bob: ada("2") })
    expect([room.size, room.get("ada")?.leftAt]).toEqual([2, 1])
  })

  it("shows oneself neither as self nor among the others after one's own leave", () => {
    const { room, diff } = inRoom({ keepLeftMs: 100, key: "ada" })
    expect(room.self).toBe(room.get("ada"))
    diff({}, { ada: ada("1") })
    expect([room.self, room.others().map(({ key }) => key)]).toEqual([undefined, ["bob"]])
  })

  it("goes on in the next room of a topic that is left and taken again at once", () => {
    const { room, connection, diff, timers } = inRoom()
    diff({}, { ada: ada("1") })
    timers.advance(60)
    room.leave()
    const next = connection.room("rooms:1", {}, { keepLeftMs: 100 })
    const changes: string[] = []
    next.onChange((all) => changes.push(...brief(all)))
    expect([next.size, next.get("ada")?.leftAt]).toEqual([1, 1_700_000_000_000])
    timers.advance(40)
    expect([next.list().length, changes, room.list().length]).toEqual([1, ["remove ada"], 2])
  })
})

describe("a lost connection", () => {
  const inRoom = (options: RoomOptions = {}) => {
    const all = setup(options)
    all.live({ ada: ada("1"), bob: ada("2") })
    const lost: string[] = []
    all.room.subscribe(() => lost.push(`${all.timers.now()} ${all.room.status} ${all.room.isLost}`))
    return { ...all, lost }
  }

  it("is reported once, after 5 s, and no longer with the next state; all users stay in the view", async () => {
    const { room, state, rejoin, timers, lost, received } = inRoom()
    expect(room.isLost).toBe(false)
    const isBack = rejoin()
    timers.advance(4999)
    expect([room.isLost, lost]).toEqual([false, ["0 stale false"]])
    timers.advance(1)
    expect(lost).toEqual(["0 stale false", "5000 stale true"])
    const snapshot = room.getSnapshot()
    timers.advance(60_000)
    expect([lost.length, room.size, received(), room.getSnapshot() === snapshot]).toEqual([2, 2, [], true])
    await isBack
    expect(room.isLost).toBe(true)
    state({ ada: ada("1"), bob: ada("2") })
    expect([room.isLost, lost.slice(2)]).toEqual([false, ["65000 live false"]])
  })

  it("is not reported if the next state comes in time, however often the connection breaks", async () => {
    const { room, state, rejoin, timers, lost } = inRoom({ lostConnectionMs: 100 })
    for (let times = 0; times < 3; times++) {
      const isBack = rejoin()
      timers.advance(99)
      await isBack
      state({ ada: ada("1"), bob: ada("2") })
    }
    timers.advance(10_000)
    expect([room.isLost, lost.filter((each) => each.endsWith("true"))]).toEqual([false, []])
  })

  it("is measured by the clock, not by a timer, which fires late in a page that was hidden", () => {
    const { room, drop, timers } = inRoom()
    drop()
    const now = vi.spyOn(timers, "now").mockReturnValue(5000)
    expect(room.isLost).toBe(true)
    now.mockRestore()
  })

  it("is none that is paused, and begins with the end of the pause", async () => {
    const { room, connection, drop, timers, lost } = inRoom({ lostConnectionMs: 100 })
    drop()
    timers.advance(100)
    connection.pause()
    timers.advance(60_000)
    expect(room.reason).toEqual({ code: "paused" })
    connection.resume()
    expect(lost).toEqual(["0 stale false", "100 stale true", "100 stale false", "60100 stale false"])
    timers.advance(100)
    expect(lost.slice(4)).toEqual(["60200 stale true"])
  })

  it("is one that was never there", () => {
    const { transport, latest } = scriptedTransport()
    const timers = clock()
    const connection = connect("ws://example.test/socket", { transport, timers, reconnectAfterMs: () => 1e6 })
    onTestFinished(() => connection.disconnect())
    const room = connection.room("rooms:1")
    latest().drop()
    timers.advance(4999)
    expect([room.status, room.isLost]).toEqual(["joining", false])
    timers.advance(1)
    expect(room.isLost).toBe(true)
  })

  it("ends with the join of a topic that has no presence, because no state will come", async () => {
    const { room, rejoin, timers } = setup({ readyTimeoutMs: 0 })
    const isBack = rejoin()
    timers.advance(5000)
    expect(room.isLost).toBe(true)
    let calls = 0
    room.subscribe(() => calls++)
    await isBack
    timers.advance(60_000)
    expect([room.status, room.isLost, calls]).toEqual(["joining", false, 1])
  })

  it("is none of a room that is left", () => {
    const { room, drop, timers, lost } = inRoom()
    drop()
    room.leave()
    timers.advance(10_000)
    expect([room.isLost, lost]).toEqual([false, ["0 stale false", "0 closed false"]])
  })

  it("stays one for the next room of a topic that is left and taken again at once", () => {
    const { room, connection, drop, timers } = inRoom()
    drop()
    timers.advance(3000)
    room.leave()
    const next = connection.room("rooms:1", {}, {})
    const lost: number[] = []
    next.subscribe(() => next.isLost && lost.push(timers.now()))
    timers.advance(3000)
    expect([next.status, next.isLost, lost]).toEqual(["stale", true, [5000]])
    next.leave()
    const last = connection.room("rooms:1", {}, {})
    expect(last.isLost).toBe(true)
  })
})

describe("without these options", () => {
  it("a leave is shown at once, with the same entries and calls, and no timer is set", () => {
    const { room, state, diff, received, timers } = setup({})
    const pending = timers.pending
    state({ ada: ada("1"), bob: ada("2") })
    diff({}, { ada: ada("1") })
    diff({ ada: ada("3") }, { bob: ada("2") })
    expect(received()).toEqual(["0 initial: join ada, join bob", "0 diff: leave ada", "0 diff: join ada, leave bob"])
    expect([present(room), timers.pending <= pending]).toEqual([["ada"], true])
  })

  it("a change costs nothing more: the frames go to the store itself", () => {
    const store = createStore(() => {})
    const layer = createGrace(store, { lostConnectionMs: 1 }, clock())
    expect([layer.get === store.get, layer.commit === store.commit, layer.keys === store.keys]).toEqual([
      true,
      true,
      true,
    ])
  })

  it.each(["graceMs", "keepLeftMs", "lostConnectionMs"])("%s must be milliseconds", (name) => {
    const { connection } = setup({})
    expect(() => connection.room("rooms:2", {}, { [name]: -1 })).toThrow(
      `expected ${name} to be a number from 0 to 2147483647, got -1`,
    )
  })
})
