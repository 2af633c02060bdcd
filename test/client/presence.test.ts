/** `Presence` on a channel: order of frames, pending diffs, malformed frames, callbacks. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { Presence, type RollcallError } from "../../src/client/index.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { PhoenixPresence } from "../support/phoenix.ts"
import { deepFreeze, meta, user } from "../support/presences.ts"

function setup(join: string | null = "1", options = {}) {
  const channel = new FakeChannel(join)
  const presence = new Presence(channel, options)
  const log: string[] = []
  const errors: RollcallError[] = []
  presence.onJoin((key, current, joined) =>
    log.push(`join ${key} ${joined.metas.map((each) => each.phx_ref)}${current ? " again" : ""}`),
  )
  presence.onLeave((key, current, left) =>
    log.push(`leave ${key} ${left.metas.map((each) => each.phx_ref)}${current.metas.length > 0 ? " partly" : ""}`),
  )
  presence.onSync(() => log.push("sync"))
  presence.onError((error) => errors.push(error))
  const here = () => presence.list((key, { metas }) => `${key}:${metas.map((each) => each.phx_ref)}`)
  return { channel, presence, log, errors, here, codes: () => errors.map((error) => error.code) }
}

afterEach(() => vi.restoreAllMocks())

describe("events", () => {
  it("lists the users of a first state and of the diffs that waited for it in the order of phoenix.js", () => {
    const channels = [new FakeChannel("1"), new FakeChannel("1")] as const
    const presence = new Presence(channels[0])
    const phoenix = new PhoenixPresence(channels[1])
    for (const channel of channels) {
      channel.diff({}, { a: user("1") })
      channel.diff({ c: user("3") })
      channel.diff({}, { c: user("3") })
      channel.diff({ a: user("4") })
      channel.state({ a: user("1"), b: user("2") })
    }
    expect(presence.list((key) => key)).toEqual(phoenix.list((key: string) => key))
    expect(presence.size).toBe(2)
  })

  it("counts nobody of a first state who has no metas (C20)", () => {
    const { channel, presence, here } = setup()
    channel.state({ a: user("1"), nobody: { metas: [] } })
    expect([presence.size, here()]).toEqual([1, ["a:1"]])
  })

  it("follows presence_state and presence_diff (C36), with one sync for each frame", () => {
    const { channel, presence, log, here } = setup()
    channel.state({ a: user("1") })
    channel.diff({ b: user("2") })
    channel.diff({ a: { metas: [meta("3", { phx_ref_prev: "1" })] } }, { a: user("1") })
    channel.diff({}, { b: user("2") })
    channel.diff({})
    expect(log).toEqual([
      "join a 1",
      "sync",
      "join b 2",
      "sync",
      "join a 3 again",
      "leave a 1 partly",
      "sync",
      "leave b 2",
      "sync",
      "sync",
    ])
    expect(here()).toEqual(["a:3"])
    expect(presence.size).toBe(1)
    expect(presence.get("a")).toEqual({ metas: [meta("3", { phx_ref_prev: "1" })] })
  })

  it("accepts other names for one of the events, or for both", () => {
    const { channel, here } = setup("1", { events: { state: "who" } })
    channel.receive("who", { a: user("1") })
    channel.diff({ b: user("2") })
    expect(here()).toEqual(["a:1", "b:2"])
  })

  it("calls several listeners in order until each is removed (C37)", () => {
    const { channel, presence } = setup()
    const calls: string[] = []
    const same = () => calls.push("same")
    const undo = [presence.onSync(() => calls.push("first")), presence.onSync(same), presence.onSync(same)]
    channel.state({})
    undo[1]!()
    undo[1]!()
    channel.diff({})
    expect(calls).toEqual(["first", "same", "same", "first", "same"])
  })

  it("applies a second state of the same join, without callbacks if nothing changed (C43)", () => {
    const { channel, presence, log } = setup()
    channel.state({ a: user("1"), b: user("2") })
    const before = presence.list()
    channel.state(structuredClone({ a: user("1"), b: user("2") }))
    expect(log).toEqual(["join a 1", "join b 2", "sync", "sync"])
    for (const [at, each] of presence.list().entries()) expect(each).toBe(before[at])
  })

  it("ignores a diff that was applied already (C41, C44)", () => {
    const { channel, log } = setup()
    channel.diff({ a: user("1") })
    channel.state({ a: user("1") })
    for (const _ of [1, 2]) channel.diff({ a: user("2") })
    for (const _ of [1, 2]) channel.diff({}, { a: user("1") })
    expect(log.filter((line) => line !== "sync")).toEqual(["join a 1", "join a 2 again", "leave a 1 partly"])
  })

  it("keeps users in order of first arrival, integer-like keys as well (C30)", () => {
    const { channel, here } = setup()
    channel.state({ b: user("1") })
    for (const key of ["10", "a", "9"]) channel.diff({ [key]: user(key) })
    channel.diff({ b: { metas: [meta("2", { phx_ref_prev: "1" })] } }, { b: user("1") })
    expect(here()).toEqual(["b:2", "10:10", "a:a", "9:9"])
  })

  it("does not change payloads, which other callbacks on the channel share", () => {
    const { channel, here } = setup()
    channel.state(deepFreeze({ a: user("1", "2") }))
    channel.receive("presence_diff", deepFreeze({ joins: { a: user("3") }, leaves: { a: user("1") } }))
    expect(here()).toEqual(["a:2,3"])
  })

  it("has the presences by key, as phoenix.js keeps them", () => {
    const { channel, presence } = setup()
    channel.state({ b: user("1"), ["__proto__"]: user("2") })
    expect(Object.entries(presence.state)).toEqual([
      ["b", user("1")],
      ["__proto__", user("2")],
    ])
    expect(Presence.list(presence.state, (key) => key)).toEqual(["b", "__proto__"])
  })

  it("has the status in its store: stale after the channel broke, live with the next state, closed after it was closed", () => {
    const { channel, presence } = setup()
    const { store } = presence
    const statuses: string[] = []
    store.subscribe(() => statuses.push(store.getSnapshot().status))
    channel.receive("phx_error", {})
    channel.state({ a: user("1") })
    channel.receive("phx_error", {})
    channel.join = "2"
    channel.state({ a: user("1") })
    channel.receive("phx_close", {})
    expect(statuses).toEqual(["live", "stale", "live", "closed"])
    expect(presence.size).toBe(1)
  })

  it("unbinds from the channel when disposed, and keeps its last view", () => {
    const { channel, presence, here } = setup()
    channel.state({ a: user("1") })
    presence.dispose()
    expect(channel.bound).toBe(0)
    channel.diff({ b: user("2") })
    expect(here()).toEqual(["a:1"])
  })
})

describe("diffs before the state (C38–C40)", () => {
  it("wait for it, and are one frame with it: its events first, then each diff's", () => {
    const { channel, presence, log, here } = setup()
    channel.diff({ b: user("2") })
    channel.diff({ c: user("3") }, { a: user("1") })
    expect(presence.inPendingSyncState()).toBe(true)
    expect([here(), log]).toEqual([[], []])
    channel.state({ a: user("1") })
    expect(presence.inPendingSyncState()).toBe(false)
    expect(log).toEqual(["join a 1", "join b 2", "join c 3", "leave a 1", "sync"])
    expect(here()).toEqual(["b:2", "c:3"])
  })

  it("of an earlier join are dropped, so that a user who left meanwhile is not listed (C40)", () => {
    const channel = new FakeChannel("1")
    const phoenix = new PhoenixPresence(channel)
    const { channel: own, here } = setup()
    for (const each of [channel, own]) {
      each.diff({ ghost: user("1") })
      each.join = "2"
      each.diff({ b: user("2") })
      each.state({ a: user("3") })
    }
    expect(phoenix.list((key: string) => key as any)).toEqual(["a", "ghost", "b"])
    expect(here()).toEqual(["a:3", "b:2"])
  })

  it("count only if they arrive after the reply to the current join, since a diff does not tell its join", () => {
    const channel = new FakeChannel()
    const own = {
      state: "joining",
      on: channel.on.bind(channel),
      off: channel.off.bind(channel),
      joinRef: channel.joinRef.bind(channel),
    }
    const presence = new Presence(own)
    const here = () => presence.list((key, { metas }) => `${key}:${metas.map((each) => each.phx_ref)}`)
    channel.diff({ ghost: user("0") })
    own.state = "joined"
    channel.diff({ c: user("3") })
    channel.state({ b: user("2") })
    expect(here()).toEqual(["b:2", "c:3"])
    channel.join = "2"
    own.state = "joining"
    channel.diff({ ghost: user("0") })
    expect(here()).toEqual(["b:2", "c:3"])
    channel.state({ b: user("2") })
    channel.diff({}, { b: user("2") })
    expect(here(), "the state of a join answers it, too").toEqual([])
  })

  it("report no change and keep the identity where they undo what the state changed, or each other", () => {
    const { channel, presence } = setup()
    channel.state({ u: user("A") })
    const before = [presence.get("u"), presence.store.entry("u")]
    const changes: unknown[] = []
    presence.store.onChange((all) => changes.push(...all))
    channel.join = "2"
    channel.diff({}, { u: user("B") })
    channel.state({ u: user("A", "B") })
    channel.diff({ u: user("B"), v: user("C") }, { u: user("B"), v: user("C") })
    channel.diff({}, { v: user("D") })
    expect([presence.get("u"), presence.store.entry("u")]).toEqual(before)
    expect([presence.get("u") === before[0], presence.store.entry("u") === before[1]]).toEqual([true, true])
    expect(changes).toEqual([])
  })

  it("wait again after a rejoin, while the old view stays (C46)", () => {
    const { channel, presence, here } = setup()
    channel.state({ a: user("1") })
    channel.join = "2"
    expect(presence.inPendingSyncState()).toBe(true)
    channel.diff({ b: user("2") })
    expect(here()).toEqual(["a:1"])
    channel.state({ a: user("1") })
    expect(here()).toEqual(["a:1", "b:2"])
  })

  it("are limited: beyond the limit the oldest are dropped, which is reported once", () => {
    const { channel, here, codes } = setup("1", { maxPendingDiffs: 2 })
    for (const ref of ["1", "2", "3", "4"]) channel.diff({ [`u${ref}`]: user(ref) })
    expect(codes()).toEqual(["pending_overflow"])
    channel.state({})
    expect(here()).toEqual(["u3:3", "u4:4"])
  })

  it("are assigned to their join by the callback's third argument alone if the channel has no joinRef", () => {
    const channel = new FakeChannel("1")
    const bare = { on: channel.on.bind(channel), off: channel.off.bind(channel) }
    const presence = new Presence(bare)
    channel.diff({ ghost: user("0") }, {}, "1")
    channel.state({ a: user("1") }, "2")
    channel.diff({ b: user("2") }, {}, "2")
    expect(presence.list((key) => key)).toEqual(["a", "b"])
  })

  it("ignores a state that is not of the current join", () => {
    const { channel, here, log } = setup("2")
    channel.state({ a: user("1") }, "1")
    expect([here(), log]).toEqual([[], []])
  })
})

/** Sends a leave, and afterwards its join. */
function late(channel: FakeChannel): void {
  channel.state({})
  channel.diff({}, { a: user("1") })
  channel.diff({ a: user("1") })
}

describe("late joins (C45)", () => {
  it("do not bring back a device that has left", () => {
    const other = new FakeChannel()
    const phoenix = new PhoenixPresence(other)
    late(other)
    expect(phoenix.list((key: string) => key as any)).toEqual(["a"])
    const { channel, here, log } = setup()
    late(channel)
    expect([here(), log]).toEqual([[], ["sync", "sync", "sync"]])
  })

  it("are dropped for five seconds only, because a later join means that the device came back", () => {
    let now = 0
    vi.spyOn(performance, "now").mockImplementation(() => now)
    const { channel, here } = setup()
    late(channel)
    expect(here()).toEqual([])
    const again = setup()
    again.channel.state({})
    again.channel.diff({}, { a: user("1") })
    now = 5_001
    again.channel.diff({ a: user("1") })
    expect(again.here()).toEqual(["a:1"])
  })

  it("are dropped once", () => {
    const { channel, here } = setup()
    late(channel)
    channel.diff({ a: user("1") })
    expect(here()).toEqual(["a:1"])
  })

  it("are dropped beside devices that stay, and after a malformed diff with the same join", () => {
    const { channel, here, codes } = setup()
    channel.state({ b: user("2") })
    channel.diff({}, { a: user("1") })
    channel.receive("presence_diff", { joins: { a: user("1") }, leaves: { c: null } })
    expect(codes()).toEqual(["bad_frame"])
    channel.diff({ a: user("1", "3"), b: user("2", "4") })
    expect(here()).toEqual(["b:2,4", "a:3"])
  })

  it("are applied if the ref was present before, even after a doubled leave, because a healed network split joins it again", () => {
    const { channel, here } = setup()
    channel.state({ a: user("1") })
    for (const _ of [1, 2]) channel.diff({}, { a: user("1") })
    channel.diff({ a: user("1") })
    expect(here()).toEqual(["a:1"])
  })

  it("are applied after a doubled leave of a whole node", () => {
    const { channel, presence } = setup()
    const node = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`u${n}`, user(`r${n}`)]))
    channel.state(node)
    for (const _ of [1, 2]) channel.diff({}, node)
    expect(presence.size).toBe(0)
    channel.diff(node)
    expect(presence.size).toBe(1000)
  })

  it("are not expected after leaves in diffs that waited for the state", () => {
    const { channel, here } = setup()
    channel.diff({}, { a: user("1") })
    channel.state({})
    channel.diff({ a: user("1") })
    expect(here()).toEqual(["a:1"])
  })

  it("are no longer expected after the state of the next join", () => {
    const { channel, here } = setup()
    channel.state({})
    channel.diff({}, { a: user("1") })
    channel.join = "2"
    channel.state({})
    channel.diff({ a: user("1") })
    expect(here()).toEqual(["a:1"])
  })

  it("are expected for the last 256 early leaves", () => {
    const { channel, here } = setup()
    channel.state({})
    for (let n = 0; n < 257; n++) channel.diff({}, { a: user(`r${n}`) })
    channel.diff({ a: user("r0") })
    channel.diff({ a: user("r1") })
    expect(here()).toEqual(["a:r0"])
  })

  it("leave one meta after a chain of updates that came in reverse", () => {
    const { channel, here } = setup()
    channel.state({ a: user("1") })
    const update = (from: string, to: string) =>
      channel.diff({ a: { metas: [meta(to, { phx_ref_prev: from })] } }, { a: user(from) })
    update("3", "4")
    update("2", "3")
    update("1", "2")
    expect(here()).toEqual(["a:4"])
  })
})

/** Returns a state with a meta that is nested too deeply to be compared. */
const deep = () => JSON.parse(`{"a":{"metas":[{"phx_ref":"1","deep":${"[".repeat(50_000)}${"]".repeat(50_000)}}]}}`)

describe("malformed frames (C47, C48)", () => {
  it.each([
    ["presence_state", null],
    ["presence_state", { b: user("2"), c: { metas: null } }],
    ["presence_diff", { joins: { b: user("2") } }],
    ["presence_diff", { joins: { b: user("2") }, leaves: { a: [] } }],
    ["presence_diff", new ArrayBuffer(4)],
    ["presence_state", new ArrayBuffer(4)],
  ])("leave the view unchanged and are reported to onError: %s %j", (event, payload) => {
    const { channel, presence, log, here, codes } = setup()
    channel.state({ a: user("1") })
    const before = presence.store.getSnapshot()
    log.length = 0
    channel.receive(event, payload)
    expect([codes(), log]).toEqual([["bad_frame"], []])
    expect(presence.store.getSnapshot()).toBe(before)
    channel.diff({ b: user("3") })
    expect(here()).toEqual(["a:1", "b:3"])
  })

  it("include payloads that are nested too deeply to be compared", () => {
    const { channel, here, codes } = setup()
    channel.state(deep())
    expect(codes(), "nor can they be copied for a callback").toEqual(["callback_failed"])
    channel.state({ ...deep(), b: user("2") })
    expect(codes().slice(1)).toEqual(["bad_frame"])
    expect(here()).toEqual(["a:1"])
  })
})

describe("callbacks", () => {
  it("read the new view, as a whole (C42)", () => {
    const { channel, presence } = setup()
    const seen: number[] = []
    presence.onJoin(() => seen.push(presence.size))
    channel.diff({ c: user("3") })
    channel.state({ a: user("1"), b: user("2") })
    expect(seen).toEqual([3, 3, 3])
  })

  it("get copies of the metas, so that changing them changes neither the view nor the payload (C9)", () => {
    const { channel, presence, codes } = setup()
    const hostile = JSON.parse('[{"__proto__":{"x":1}},null]')
    const there = { metas: [meta("1", { device: { name: "phone" }, hostile })], user: { name: "Ada" } }
    const spoil = (_key: string, _current: unknown, moved: any) => {
      expect(JSON.stringify(moved)).toBe(JSON.stringify(there))
      moved.metas[0].device.name = moved.user.name = moved.metas[0].hostile[0].__proto__.x = "spoilt"
    }
    presence.onJoin(spoil)
    presence.onLeave((_key, current: any, left) => spoil("", current, left))
    const [state, leaves] = [{ a: structuredClone(there) }, { a: structuredClone(there) }]
    channel.state(state)
    expect([presence.get("a"), state.a]).toEqual([there, there])
    channel.diff({}, leaves)
    expect([leaves.a, codes()]).toEqual([there, []])
  })

  it("that throw stop neither the other callbacks nor the next frame (C47)", () => {
    const { channel, presence, log, errors, here } = setup()
    const cause = new Error("mine")
    const fail = () => {
      throw cause
    }
    for (const on of ["onJoin", "onLeave", "onSync"] as const) presence[on](fail)
    presence.onSync(() => log.push("after"))
    channel.state({ a: user("1") })
    channel.diff({}, { a: user("1") })
    expect(log).toEqual(["join a 1", "sync", "after", "leave a 1", "sync", "after"])
    expect(errors).toHaveLength(4)
    for (const error of errors) expect(error).toMatchObject({ code: "callback_failed", cause })
    expect(here()).toEqual([])
  })

  it("may throw a value that cannot be converted to a string", () => {
    const { channel, presence, log, codes } = setup()
    for (const thrown of [Object.create(null), Symbol("mine")]) {
      presence.onSync(() => {
        throw thrown
      })
    }
    presence.onSync(() => log.push("after"))
    channel.state({})
    expect([log, codes()]).toEqual([
      ["sync", "after"],
      ["callback_failed", "callback_failed"],
    ])
  })

  it("can be null (C23)", () => {
    const { channel, presence, codes, here } = setup()
    for (const on of ["onJoin", "onLeave", "onSync"] as const) presence[on](null as never)
    channel.state({ a: user("1") })
    channel.diff({}, { a: user("1") })
    expect([here(), codes()]).toEqual([[], []])
  })

  it("that throw are reported as uncaught errors if onError has no listener, and do not reach the transport", () => {
    const spy = vi.spyOn(console, "error").mockImplementation(() => {})
    const channel = new FakeChannel()
    const presence = new Presence(channel)
    presence.onSync(() => {
      throw new Error("mine")
    })
    channel.state({})
    expect(spy).toHaveBeenCalledWith(expect.objectContaining({ code: "callback_failed" }))
    const reportError = vi.fn()
    vi.stubGlobal("reportError", reportError)
    channel.state(null)
    vi.unstubAllGlobals()
    expect(reportError).toHaveBeenCalledWith(expect.objectContaining({ code: "bad_frame" }))
  })

  it("that throw in onError are reported as uncaught errors", () => {
    const spy = vi.spyOn(console, "error").mockImplementation(() => {})
    const { channel, presence } = setup()
    presence.onError(() => {
      throw new Error("mine")
    })
    channel.state(null)
    expect(spy).toHaveBeenCalledTimes(1)
  })

  it("that cause a frame all run before that frame is applied", () => {
    const { channel, presence, log, here } = setup()
    presence.onJoin((key) => {
      if (key === "a") channel.diff({ c: user("3") })
    })
    channel.state({ a: user("1"), b: user("2") })
    expect(log).toEqual(["join a 1", "join b 2", "sync", "join c 3", "sync"])
    expect(here()).toEqual(["a:1", "b:2", "c:3"])
  })
})
