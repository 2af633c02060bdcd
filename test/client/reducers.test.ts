/** The reducers, rule by rule. Where they differ from phoenix.js, a test shows both behaviours. */
import { describe, expect, it } from "vitest"
import { list, Presence, RollcallError, syncDiff, syncState, type PresenceState } from "../../src/client/index.ts"
import { PhoenixPresence } from "../support/phoenix.ts"
import { deepFreeze, meta, refs, user } from "../support/presences.ts"

type Call = [kind: string, key: string, current: string[] | undefined, moved: string[]]

const refsOf = (presence: any) => presence?.metas.map((each: any) => each.phx_ref)

/** Returns callbacks that record the refs of the metas that joined and left, and the list of these records. */
function recorder() {
  const calls: Call[] = []
  const record = (kind: string) => (key: string, current: any, moved: any) =>
    calls.push([kind, key, refsOf(current), refsOf(moved)])
  return { calls, onJoin: record("join"), onLeave: record("leave") }
}

const clone = <T>(value: T): T => structuredClone(value)

const refless = (...devices: string[]): any => ({ metas: devices.map((device) => ({ device, at: { x: 1 } })) })

describe("syncDiff", () => {
  it("applies all joins, then all leaves, in the diff's own order (C1)", () => {
    const { calls, onJoin, onLeave } = recorder()
    syncDiff(
      { a: user("a1"), b: user("b1") },
      { joins: { c: user("c1"), b: user("b2") }, leaves: { a: user("a1"), b: user("b1") } },
      onJoin,
      onLeave,
    )
    expect(calls).toEqual([
      ["join", "c", undefined, ["c1"]],
      ["join", "b", ["b1"], ["b2"]],
      ["leave", "a", [], ["a1"]],
      ["leave", "b", ["b2"], ["b1"]],
    ])
  })

  it("changes no input, deep-frozen ones included (C2, C3, C4)", () => {
    const before = { a: user("1", "2") }
    const diff = { joins: { a: user("3"), b: user("4") }, leaves: { a: user("1") } }
    const theirs = clone(before)
    PhoenixPresence.syncDiff(theirs, { joins: {}, leaves: { a: user("1") } })
    expect(refs(theirs), "phoenix.js changes the caller's presence").toEqual({ a: ["2"] })
    const after = syncDiff(deepFreeze(before), deepFreeze(diff))
    expect(refs(after)).toEqual({ a: ["2", "3"], b: ["4"] })
  })

  it("does not change a state without a prototype either (C3)", () => {
    const before = Object.assign(Object.create(null), { a: user("1") })
    const theirs = Object.assign(Object.create(null), clone({ ...before }))
    expect(PhoenixPresence.syncDiff(theirs, { joins: { b: user("2") }, leaves: {} })).toBe(theirs)
    const after = syncDiff(deepFreeze(before), { joins: { b: user("2") }, leaves: {} })
    expect(after).not.toBe(before)
    expect(Object.keys(before)).toEqual(["a"])
    expect(Object.getPrototypeOf(after)).toBe(null)
  })

  it("adds a new user with its extras, and calls onJoin without a previous presence (C5)", () => {
    const { calls, onJoin } = recorder()
    const after = syncDiff({}, { joins: { a: { metas: [meta("1")], name: "Ada" } }, leaves: {} }, onJoin)
    expect(after["a"]).toEqual({ metas: [{ phx_ref: "1" }], name: "Ada" })
    expect(calls).toEqual([["join", "a", undefined, ["1"]]])
  })

  it("appends new metas and takes the extras that came with them (C6)", () => {
    const after = syncDiff(
      { a: { metas: [meta("1"), meta("2")], name: "old", gone: true } },
      { joins: { a: { metas: [meta("3")], name: "new" } }, leaves: {} },
    )
    expect(after["a"]).toEqual({ metas: [meta("1"), meta("2"), meta("3")], name: "new" })
  })

  it("replaces the content of a known ref in place, without a join (C7)", () => {
    const before = { a: { metas: [meta("1", { at: 1 }), meta("2")] } }
    const diff = { joins: { a: { metas: [meta("1", { at: 9 })] } }, leaves: {} }
    const phoenix = recorder()
    expect(refs(PhoenixPresence.syncDiff(clone(before), diff, phoenix.onJoin))).toEqual({ a: ["2", "1"] })
    expect(phoenix.calls).toHaveLength(1)
    const ours = recorder()
    const after = syncDiff(before, diff, ours.onJoin)
    expect(after["a"]!.metas).toEqual([meta("1", { at: 9 }), meta("2")])
    expect(ours.calls).toEqual([])
  })

  it("keeps the identity of metas and users that did not change (C8, C24)", () => {
    const before: PresenceState = { a: user("1"), b: user("2") }
    const after = syncDiff(before, { joins: { a: user("3") }, leaves: {} })
    expect(after["a"]!.metas[0]).toBe(before["a"]!.metas[0])
    expect(after["b"]).toBe(before["b"])
  })

  it("return the same state if what joins leaves in the same diff", () => {
    const before: PresenceState = { a: user("1"), b: user("2") }
    const diff = { joins: { a: user("3"), c: user("4") }, leaves: { a: user("3"), c: user("4") } }
    expect(syncDiff(before, diff)).toBe(before)
    const after = syncDiff(before, { ...diff, joins: { ...diff.joins, d: user("5") } })
    expect(after["a"]).toBe(before["a"])
    expect(Object.keys(after)).toEqual(["a", "b", "d"])
  })

  it("passes copies to callbacks, so that changing them changes neither the state nor the payload (C9)", () => {
    const there = { metas: [meta("1", { device: { name: "phone" } })], user: { name: "Ada" } }
    const spoil = (_key: string, _current: unknown, moved: any) => {
      moved.metas[0].device.name = moved.user.name = "spoilt"
      moved.metas.push("spoilt")
    }
    for (const joins of [{ a: clone(there) }, deepFreeze({ a: clone(there) })]) {
      const after = syncDiff({}, { joins, leaves: {} }, spoil)
      expect([after["a"], joins.a]).toEqual([there, there])
      syncState(after, {}, null, spoil)
      expect(after["a"]).toEqual(there)
    }
  })

  it("ignores the leave of an unknown user (C11)", () => {
    const before = { a: user("1") }
    const { calls, onLeave } = recorder()
    expect(syncDiff(before, { joins: {}, leaves: { b: user("2") } }, null, onLeave)).toBe(before)
    expect(calls).toEqual([])
  })

  it("calls onLeave with the remaining metas, and removes a user without any (C12, C14)", () => {
    const { calls, onLeave } = recorder()
    const diff = { joins: {}, leaves: { a: user("1"), b: user("3") } }
    const after = syncDiff({ a: user("1", "2"), b: user("3") }, diff, undefined, onLeave)
    expect(calls).toEqual([
      ["leave", "a", ["2"], ["1"]],
      ["leave", "b", [], ["3"]],
    ])
    expect(refs(after)).toEqual({ a: ["2"] })
  })

  it("calls onLeave only if a meta left (C13, C21)", () => {
    const before = { a: user("1") }
    for (const leaves of [{ a: user("unknown") }, { a: user() }]) {
      const phoenix = recorder()
      PhoenixPresence.syncDiff(clone(before), { joins: {}, leaves }, null, phoenix.onLeave)
      expect(phoenix.calls).toHaveLength(1)
      const ours = recorder()
      expect(syncDiff(before, { joins: {}, leaves }, null, ours.onLeave)).toBe(before)
      expect(ours.calls).toEqual([])
    }
  })

  it("refreshes a user's extras from those that come with a leave (C15)", () => {
    const before = { a: { metas: [meta("1"), meta("2")], name: "old" } }
    const diff = { joins: {}, leaves: { a: { metas: [meta("1")], name: "new" } } }
    expect(PhoenixPresence.syncDiff(clone(before), diff)["a"]).toHaveProperty("name", "old")
    expect(syncDiff(before, diff)["a"]).toEqual({ metas: [meta("2")], name: "new" })
    expect(
      syncDiff(before, { joins: {}, leaves: { a: user("1") } })["a"],
      "a leave without extras does not change them",
    ).toHaveProperty("name", "old")
  })

  it("applies an update as a join and then a leave, in place (C16)", () => {
    const { calls, onJoin, onLeave } = recorder()
    const diff = { joins: { a: { metas: [meta("2", { phx_ref_prev: "1" })] } }, leaves: { a: user("1") } }
    const after = syncDiff({ a: user("1"), b: user("b") }, diff, onJoin, onLeave)
    expect(calls).toEqual([
      ["join", "a", ["1"], ["2"]],
      ["leave", "a", ["2"], ["1"]],
    ])
    expect(Object.keys(after)).toEqual(["a", "b"])
  })

  it("calls onJoin and onLeave for a user that joins and leaves in one diff (C18)", () => {
    const { calls, onJoin, onLeave } = recorder()
    const before = {}
    expect(syncDiff(before, { joins: { a: user("1") }, leaves: { a: user("1") } }, onJoin, onLeave)).toBe(before)
    expect(calls.map(([kind]) => kind)).toEqual(["join", "leave"])
  })

  it("identifies metas without a ref by their JSON (C19)", () => {
    const before = { a: refless("phone", "laptop") }
    expect(PhoenixPresence.syncDiff(clone(before), { joins: {}, leaves: { a: refless("phone") } })).toEqual({})
    expect(syncDiff(before, { joins: {}, leaves: { a: refless("phone") } })).toEqual({ a: refless("laptop") })
    expect(syncDiff(before, { joins: { a: refless("phone") }, leaves: {} }), "the same join again").toBe(before)
    expect(syncDiff(before, { joins: { a: refless("tv") }, leaves: {} })).toEqual({
      a: refless("phone", "laptop", "tv"),
    })
  })

  it("ignores a join without metas (C20)", () => {
    const diff = { joins: { ghost: user() }, leaves: {} }
    expect(PhoenixPresence.syncDiff({}, clone(diff))).toEqual({ ghost: { metas: [] } })
    const before = {}
    const { calls, onJoin } = recorder()
    expect(syncDiff(before, diff, onJoin)).toBe(before)
    expect(calls).toEqual([])
  })

  it("returns the same state for an empty diff (C22), and accepts null as a callback (C23)", () => {
    const before = { a: user("1") }
    expect(syncDiff(before, { joins: {}, leaves: {} }, null, null)).toBe(before)
  })

  it("treats keys such as __proto__ as ordinary ones (C33)", () => {
    const keys = ["__proto__", "constructor", "hasOwnProperty", "toString"]
    const joins = JSON.parse(
      `{${keys.map((key) => `"${key}":{"metas":[{"phx_ref":"${key}","__proto__":{"x":1}}]}`).join(",")}}`,
    )
    const after = syncDiff({}, { joins, leaves: {} })
    expect(Object.keys(after)).toEqual(keys)
    expect(syncState(after, joins)).toBe(after)
    expect(Object.keys(syncDiff(after, { joins: {}, leaves: joins }))).toEqual([])
    expect(({} as any).metas).toBe(undefined)
  })

  it.each(["__proto__", "constructor", "toString"])("returns the same state if a change of %s had no effect", (key) => {
    const before = { a: user("1") }
    const there = (...refs: string[]) => JSON.parse(JSON.stringify({ key: user(...refs) }).replace("key", key))
    expect(syncDiff(before, { joins: {}, leaves: there("2") }), "the leave of an absent meta").toBe(before)
    expect(syncDiff(before, { joins: there("2"), leaves: there("2") }), "a meta that joins and leaves").toBe(before)
    expect(syncDiff(before, { joins: there(), leaves: {} }), "a join without metas").toBe(before)
    expect(syncState(before, { ...there(), a: user("1") }), "a user without metas").toBe(before)
  })

  it("drops the older of two updates if it comes late (C45)", () => {
    const before = { a: user("1") }
    const late = { joins: { a: { metas: [meta("2", { phx_ref_prev: "1" })] } }, leaves: { a: user("1") } }
    const early = { joins: { a: { metas: [meta("3", { phx_ref_prev: "2" })] } }, leaves: { a: user("2") } }
    const phoenix = PhoenixPresence.syncDiff(PhoenixPresence.syncDiff(clone(before), early), late)
    expect(refs(phoenix)).toEqual({ a: ["3", "2"] })
    const { calls, onJoin } = recorder()
    expect(refs(syncDiff(syncDiff(before, early), late, onJoin))).toEqual({ a: ["3"] })
    expect(calls).toEqual([])
  })
})

describe("syncState", () => {
  it("changes neither state (C24, C25)", () => {
    const next = { a: user("1", "2") }
    const theirs = clone(next)
    PhoenixPresence.syncState({ a: user("1") }, theirs)
    expect(refs(theirs), "phoenix.js overwrites the metas of the new state").toEqual({ a: ["2"] })
    syncState(deepFreeze({ a: user("1") }), deepFreeze(next))
    expect(refs(next)).toEqual({ a: ["1", "2"] })
  })

  it("returns the same state when nothing changed, and unchanged users when others did (C24)", () => {
    const before: PresenceState = { a: user("1"), b: user("2") }
    expect(syncState(before, clone(before))).toBe(before)
    const after = syncState(before, { a: user("1"), b: user("3") })
    expect(after["a"]).toBe(before["a"])
    expect(after["b"]).not.toBe(before["b"])
  })

  it("ignores a different phx_ref_prev of the same meta, which nodes may send", () => {
    const before: PresenceState = { a: { metas: [meta("3", { phx_ref_prev: "2", tags: [{ x: 1 }] })] } }
    const named = (more: object): PresenceState => ({ a: { metas: [meta("3", { tags: [{ x: 1 }], ...more })] } })
    expect(syncState(before, named({ phx_ref_prev: "1" }))).toBe(before)
    expect(syncState(before, named({}))).toBe(before)
    const without = named({})
    expect(syncState(without, before)).toBe(without)
    expect(syncState(before, named({ phx_ref_prev: "1", status: "new" }))).not.toBe(before)
    expect(syncState(before, named({ status: "new" })), "the same number of fields, with another name").toEqual(
      named({ status: "new" }),
    )
  })

  it("finds joins and leaves by reference, joins first (C26, C32)", () => {
    const { calls, onJoin, onLeave } = recorder()
    syncState(
      { gone: user("1"), some: user("2", "3"), all: user("4") },
      { some: user("3", "5"), all: user("6"), fresh: user("7") },
      onJoin,
      onLeave,
    )
    expect(calls).toEqual([
      ["join", "some", ["2", "3"], ["5"]],
      ["join", "all", ["4"], ["6"]],
      ["join", "fresh", undefined, ["7"]],
      ["leave", "gone", [], ["1"]],
      ["leave", "some", ["3", "5"], ["2"]],
      ["leave", "all", ["6"], ["4"]],
    ])
  })

  it("takes content and extras from the server under known references, without an event (C27)", () => {
    const before = { a: { metas: [meta("1", { status: "old" })], name: "old" } }
    const next = { a: { metas: [meta("1", { status: "new" })], name: "new" } }
    expect(PhoenixPresence.syncState(clone(before), clone(next))).toEqual(before)
    const { calls, onJoin, onLeave } = recorder()
    expect(syncState(before, next, onJoin, onLeave)).toEqual(next)
    expect(calls).toEqual([])
  })

  it("lists metas in the server's order (C29)", () => {
    const [before, next] = [{ a: user("b") }, { a: user("a", "b") }]
    expect(refs(PhoenixPresence.syncState(clone(before), clone(next)))).toEqual({ a: ["b", "a"] })
    expect(refs(syncState(before, next))).toEqual({ a: ["a", "b"] })
  })

  it("keeps known users in place and puts new ones last (C30)", () => {
    const after = syncState({ b: user("1"), a: user("2") }, { c: user("3"), a: user("2"), b: user("1") })
    expect(Object.keys(after)).toEqual(["b", "a", "c"])
  })

  it("removes a user that the server lists without metas (C31), and ignores a new one (C20)", () => {
    const { calls, onJoin, onLeave } = recorder()
    expect(syncState({ a: user("1") }, { a: user(), ghost: user() }, onJoin, onLeave)).toEqual({})
    expect(calls).toEqual([["leave", "a", [], ["1"]]])
  })

  it("removes a user without metas that phoenix.js left in a state (C20, C21)", () => {
    expect(syncState({ ghost: user() }, {})).toEqual({})
    expect(syncDiff({ ghost: user() }, { joins: {}, leaves: { ghost: user() } })).toEqual({})
  })

  it("lists a ref once if the server sends it twice", () => {
    expect(refs(syncState({}, { a: user("1", "2", "1") }))).toEqual({ a: ["1", "2"] })
  })
})

describe("list", () => {
  it("lists the presences, or what the chooser returns, in object order (C30, C34, C35)", () => {
    const presences: PresenceState = { b: user("1"), 10: user("2"), a: user("3"), 9: user("4") }
    expect(list(presences)[0]).toBe(presences["9"])
    expect(list(presences, (key, { metas: [first] }) => `${key}:${first?.phx_ref}`)).toEqual([
      "9:4",
      "10:2",
      "b:1",
      "a:3",
    ])
  })
})

const untouchable = () => expect.unreachable("a callback was called for a malformed frame")
const refused = (run: () => unknown) => {
  expect(run).toThrow(RollcallError)
  expect(run).toThrow(
    expect.objectContaining({ code: "bad_frame", message: expect.stringMatching(/expected .* got /) }),
  )
}

describe("malformed input (C48)", () => {
  const states: [what: string, value: unknown][] = [
    ["null", null],
    ["an array", []],
    ["a string", "users"],
    ["nothing", undefined],
    ["a null presence", { a: null }],
    ["a presence without metas", { a: {} }],
    ["metas that are not an array", { a: { metas: {} } }],
    ["a null meta", { a: { metas: [null] } }],
    ["a meta that is an array", { a: { metas: [[]] } }],
    ["a reference that is not a string", { a: { metas: [{ phx_ref: 7 }] } }],
  ]

  it.each(states)("throws for %s as a state, and in either half of a diff, before any callback", (_what, value) => {
    const state = deepFreeze({ a: user("1") })
    refused(() => syncState(state, value as any, untouchable, untouchable))
    refused(() => syncDiff(state, { joins: { b: user("2") }, leaves: value } as any, untouchable, untouchable))
    refused(() => syncDiff(state, { joins: value, leaves: {} } as any, untouchable, untouchable))
  })

  it.each([[null], [[]], ["diff"], [{}], [{ joins: {} }], [{ leaves: {} }]])("throws for %j as a diff", (value) => {
    refused(() => syncDiff({}, value as any))
  })

  it.each([[null], [undefined], [[]], [1]])("throws for %j as the initial state", (value) => {
    refused(() => syncState(value as any, {}))
    refused(() => syncDiff(value as any, { joins: {}, leaves: {} }))
  })

  it("has a message with what was expected and what came", () => {
    expect(() => syncDiff({}, { joins: { ada: { metas: 7 } }, leaves: {} } as any)).toThrow(
      'expected {metas:[]}, got {"metas":7}',
    )
  })
})

describe("the static reducers of Presence (C50)", () => {
  it("work when they are called without the class; those of phoenix.js throw", () => {
    const theirs = PhoenixPresence.syncDiff
    expect(() => theirs({}, { joins: { a: user("1") }, leaves: {} })).toThrow(TypeError)
    const ours = Presence.syncDiff
    expect(refs(ours({}, { joins: { a: user("1") }, leaves: {} }))).toEqual({ a: ["1"] })
  })
})
