/** The live view: snapshots and changes. */
import { describe, expect, it } from "vitest"
import { Presence, type Change } from "../../src/client/index.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { meta, user } from "../support/presences.ts"

function setup() {
  const channel = new FakeChannel()
  const { store } = new Presence(channel)
  return { channel, store }
}

describe("snapshot", () => {
  it("is the same object until something changes", () => {
    const { channel, store } = setup()
    const first = store.getSnapshot()
    expect(first).toMatchObject({ status: "joining", size: 0, users: [] })
    expect(store.getSnapshot()).toBe(first)
    channel.state({ a: user("1") })
    const second = store.getSnapshot()
    expect(second).toMatchObject({ status: "live", size: 1, users: [{ key: "a", metas: [meta("1")] }] })
    channel.diff({ a: user("1") }, { b: user("2") })
    channel.state({ a: user("1") })
    expect(store.getSnapshot()).toBe(second)
  })

  it("and its listeners are left alone by a frame that brings nobody, whether anybody has read it or not", () => {
    for (const isRead of [true, false]) {
      const { channel, store } = setup()
      channel.state({})
      const first = isRead ? store.getSnapshot() : undefined
      let calls = 0
      store.subscribe(() => (calls += 1))
      channel.diff({ a: user("1") }, { a: user("1") })
      channel.diff({})
      expect(calls).toBe(0)
      if (isRead) expect(store.getSnapshot()).toBe(first)
    }
  })

  it("does not change when the view changes, nor does its get()", () => {
    const { channel, store } = setup()
    channel.state({ a: user("1"), b: user("2") })
    const before = store.getSnapshot()
    channel.diff({ c: user("3"), b: { metas: [meta("4", { phx_ref_prev: "2" })] } }, { a: user("1"), b: user("2") })
    expect(before.users.map(({ key }) => key)).toEqual(["a", "b"])
    expect([before.get("a")?.key, before.get("b")?.metas[0].phx_ref, before.get("c")]).toEqual(["a", "2", undefined])
    const after = store.getSnapshot()
    expect([after.get("a"), after.get("b")?.metas[0].phx_ref, after.get("c")?.key]).toEqual([undefined, "4", "c"])
    expect(after.users.map(({ key }) => key)).toEqual(["b", "c"])
  })

  it("is frozen including its metas, while the payload is not", () => {
    const { channel, store } = setup()
    const payload = { a: { metas: [meta("1")], name: "Ada" } }
    channel.state(payload)
    const snapshot = store.getSnapshot()
    const [ada] = snapshot.users
    for (const part of [snapshot, snapshot.users, ada, ada!.metas, ada!.metas[0]])
      expect(Object.isFrozen(part)).toBe(true)
    for (const part of [payload, payload.a, payload.a.metas, payload.a.metas[0]])
      expect(Object.isFrozen(part)).toBe(false)
    expect(ada).toEqual({ key: "a", metas: [meta("1")], name: "Ada" })
  })

  it("keeps the entries of unchanged users, and the metas of unchanged devices", () => {
    const { channel, store } = setup()
    channel.state({ a: user("1", "2", "3"), b: user("4") })
    const before = store.getSnapshot()
    channel.diff({ a: user("5") }, { a: user("2") })
    const after = store.getSnapshot()
    expect(after.get("b")).toBe(before.get("b"))
    expect(after.get("a")).not.toBe(before.get("a"))
    expect(after.get("a")!.metas[0]).toBe(before.get("a")!.metas[0])
    expect(after.get("a")!.metas[1]).toBe(before.get("a")!.metas[2])
    expect(after.get("a")!.metas.map((each) => each.phx_ref)).toEqual(["1", "3", "5"])
  })

  it("treats keys such as __proto__ as ordinary ones", () => {
    const { channel, store } = setup()
    channel.state(JSON.parse('{"__proto__":{"metas":[{"phx_ref":"1"}],"__proto__":{"polluted":1},"key":"theirs"}}'))
    const entry = store.getSnapshot().get("__proto__")!
    expect([entry.key, Object.getPrototypeOf(entry), ({} as any).polluted]).toEqual([
      "__proto__",
      Object.prototype,
      undefined,
    ])
  })
})

describe("listeners", () => {
  it("are called once for each frame that changed something, after the commit", () => {
    const { channel, store } = setup()
    const sizes: number[] = []
    const undo = store.subscribe(() => sizes.push(store.getSnapshot().size))
    channel.diff({ b: user("2") })
    channel.state({ a: user("1") })
    channel.diff({ a: user("1") })
    channel.diff({}, { a: user("1"), b: user("2") })
    undo()
    channel.diff({ c: user("3") })
    expect(sizes).toEqual([2, 0])
  })

  it("get the users that joined, changed and left; an update, or one more device, is one change", () => {
    const { channel, store } = setup()
    const received: Change[][] = []
    store.onChange((changes) => received.push([...changes]))
    const brief = () => received.splice(0).map((changes) => changes.map(({ type, key }) => `${type} ${key}`))
    channel.state({ a: user("1"), b: user("2") })
    expect(brief()).toEqual([["join a", "join b"]])
    channel.diff({ a: { metas: [meta("3", { phx_ref_prev: "1", n: 1 })] } }, { a: user("1") })
    const update = received[0]![0]!
    expect([update.previous?.metas[0].phx_ref, update.current?.metas[0].phx_ref]).toEqual(["1", "3"])
    expect(update.current).toBe(store.getSnapshot().get("a"))
    expect(brief()).toEqual([["update a"]])
    channel.diff({ b: user("4") })
    channel.diff({}, { b: user("2", "4") })
    channel.diff({ c: user("5") }, { c: user("5") })
    channel.diff({})
    expect(brief()).toEqual([["update b"], ["leave b"]])
  })

  it("get only the changes of a rejoin: one user that left and one that joined", () => {
    const { channel, store } = setup()
    channel.state({ a: user("1"), b: user("2") })
    const received: string[] = []
    store.onChange((changes) => received.push(...changes.map(({ type, key }) => `${type} ${key}`)))
    channel.join = "2"
    channel.state({ a: user("1"), c: user("3") })
    expect(new Set(received)).toEqual(new Set(["join c", "leave b"]))
    expect(received).toHaveLength(2)
  })
})
