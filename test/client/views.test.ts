/** What is read of a room: `select`, `user`, `others`. */
import { describe, expect, it } from "vitest"
import { liveRoom } from "../support/live-room.ts"
import { meta, user } from "../support/presences.ts"

const named = (ref: string, name: string) => ({ metas: [meta(ref, { name })] })

describe("user", () => {
  it("is the view of one user: its listeners are called when it joins, changes and leaves, and for no other user", () => {
    const { room, state, diff } = liveRoom()
    const ada = room.user("ada")
    const seen: unknown[] = []
    const { subscribe, getSnapshot } = ada
    const undo = subscribe(() => seen.push(getSnapshot()?.metas[0]["name"]))
    expect(getSnapshot()).toBe(undefined)
    state({ ada: named("1", "Ada"), bob: named("2", "Bob") })
    expect(getSnapshot()).toBe(room.get("ada"))
    diff({ cyd: named("3", "Cyd"), bob: named("4", "Bobby") }, { bob: named("2", "Bob") })
    diff({ ada: named("5", "A.") }, { ada: named("1", "Ada") })
    diff({}, { ada: named("5", "A."), bob: named("4", "Bobby") })
    diff({ ada: named("6", "Ada") })
    expect(seen).toEqual(["Ada", "A.", undefined, "Ada"])
    undo()
    diff({}, { ada: named("6", "Ada") })
    expect(seen).toHaveLength(4)
  })

  it("calls each of several listeners once for a frame, and goes on after one of them throws", () => {
    const { room, errors, state } = liveRoom()
    const calls: string[] = []
    room.user("ada").subscribe(() => {
      throw new Error("first")
    })
    const undo = room.user("ada").subscribe(() => calls.push("second"))
    room.user("ada").subscribe(() => calls.push("third"))
    state({ ada: user("1") })
    undo()
    undo()
    state({ ada: user("1", "2") })
    expect(calls).toEqual(["second", "third", "third"])
    expect(errors.map(({ code }) => code)).toEqual(["callback_failed", "callback_failed"])
  })

  it("costs a change nothing for the views of other users", () => {
    const { room, state, diff } = liveRoom()
    state({ ada: user("1") })
    let calls = 0
    for (let index = 0; index < 1000; index++) room.user(`user ${index}`).subscribe(() => calls++)
    diff({ ada: user("2") })
    diff({ "user 7": user("3") })
    expect(calls).toBe(1)
  })
})

describe("select", () => {
  it("calls its listeners only when the selected value has changed, and keeps the value until then", () => {
    const { room, state, diff } = liveRoom()
    const size = room.select(({ users }) => users.length)
    const sizes: number[] = []
    size.subscribe(() => sizes.push(size.getSnapshot()))
    state({ ada: user("1"), bob: user("2") })
    diff({ ada: user("3") })
    diff({ cyd: user("4") }, { bob: user("2") })
    diff({}, { cyd: user("4") })
    expect(sizes).toEqual([2, 1])
  })

  it("compares by isEqual: an equal array stays the same object", () => {
    const { room, state, diff } = liveRoom()
    const names = room.select(
      ({ users }) => users.map(({ key }) => key),
      (a, b) => a.join() === b.join(),
    )
    let calls = 0
    names.subscribe(() => calls++)
    state({ ada: user("1"), bob: user("2") })
    const before = names.getSnapshot()
    diff({ ada: user("3") })
    expect([names.getSnapshot() === before, calls]).toEqual([true, 1])
    diff({ cyd: user("4") })
    expect([names.getSnapshot(), calls]).toEqual([["ada", "bob", "cyd"], 2])
  })

  it("follows the status, too, and runs its selector once for each snapshot", () => {
    const { room, state } = liveRoom()
    let runs = 0
    const status = room.select((snapshot) => (runs++, snapshot.status))
    const seen: string[] = []
    for (let index = 0; index < 5; index++) status.subscribe(() => seen.push(status.getSnapshot()))
    state({})
    expect([seen, runs]).toEqual([["live", "live", "live", "live", "live"], 2])
  })
})

describe("others", () => {
  it("are all users but oneself, in the same array until the snapshot or self changes", () => {
    const { room, state, diff, receive } = liveRoom()
    state({ ada: user("1"), bob: user("2") })
    const everybody = room.others()
    expect(everybody.map(({ key }) => key)).toEqual(["ada", "bob"])
    expect(room.others()).toBe(everybody)
    receive("presence_self", { key: "ada", phx_ref: "1" })
    const others = room.others()
    expect(others).toEqual([room.get("bob")])
    expect([room.others() === others, Object.isFrozen(others)]).toEqual([true, true])
    diff({ cyd: user("3") })
    expect(room.others().map(({ key }) => key)).toEqual(["bob", "cyd"])
  })
})
