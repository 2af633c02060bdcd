import { inspect } from "node:util"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { TopicView } from "../../../src/server/presence/topic-view.ts"
import type { Row } from "../../../src/tracker/tracker.ts"
import type { PresenceState } from "../../../src/wire/presence-payloads.ts"

const rowOf = (key: string, { pid = "1@a", ref }: { pid?: string; ref?: string } = {}): Row => ({
  topic: "t",
  pid,
  key,
  meta: { phx_ref: ref ?? `${key} ${pid}` },
})

/** A view of users with one device each. */
const viewOf = (...keys: string[]): TopicView => new TopicView(keys.map((key) => rowOf(key)))
const join = (view: TopicView, ...rows: Row[]): void => view.apply({ joins: rows, leaves: [] })
const leave = (view: TopicView, ...rows: Row[]): void => view.apply({ joins: [], leaves: rows })

const refsOf = (state: PresenceState): [string, string[]][] =>
  Object.entries(state).map(([key, { metas }]) => [key, metas.map((meta) => meta.phx_ref)])

describe("a view of a topic", () => {
  it("returns one frozen state until something changes, and the old state stays as it was", () => {
    const view = viewOf("ada", "bob")
    const before = view.snapshot.state
    expect(view.snapshot.state).toBe(before)
    expect(Object.isFrozen(before)).toBe(true)
    join(view, rowOf("cy"))
    expect(Object.keys(view.snapshot.state)).toEqual(["ada", "bob", "cy"])
    expect(Object.keys(before)).toEqual(["ada", "bob"])
  })

  it("keeps the users that a change does not concern as the same objects, in their places", () => {
    const view = viewOf("ada", "bob", "cy")
    const before = view.snapshot.state
    expect(Object.keys(before)).toHaveLength(3)
    view.apply({ joins: [rowOf("ada", { ref: "new" })], leaves: [rowOf("ada"), rowOf("bob")] })
    expect(refsOf(view.snapshot.state)).toEqual([
      ["ada", ["new"]],
      ["cy", ["cy 1@a"]],
    ])
    expect(view.snapshot.state["cy"]).toBe(before["cy"])
  })

  it("encodes its state once until something changes, and then encodes the new state", () => {
    const view = viewOf("ada")
    const { payload } = view.snapshot
    expect(view.snapshot.payload).toBe(payload)
    expect(payload.json).toBe('{"ada":{"metas":[{"phx_ref":"ada 1@a"}]}}')
    join(view, rowOf("bob"), rowOf("ada", { pid: "2@a" }))
    expect(JSON.parse(view.snapshot.payload.json)).toEqual(view.snapshot.state)
    expect(Object.keys(JSON.parse(view.snapshot.payload.json) as object)).toEqual(["ada", "bob"])
    expect(payload.json).not.toContain("bob")
  })

  it("encodes the topic at the time of the snapshot, even if the payload is first read after a change", () => {
    const view = viewOf("ada")
    const { payload } = view.snapshot
    join(view, rowOf("bob"))
    expect(payload.json).toBe('{"ada":{"metas":[{"phx_ref":"ada 1@a"}]}}')
    expect(payload.value).toEqual({ ada: { metas: [{ phx_ref: "ada 1@a" }] } })
  })

  it("accepts any key, also __proto__", () => {
    const view = viewOf("__proto__", "constructor")
    expect(Object.keys(view.snapshot.state)).toEqual(["__proto__", "constructor"])
    expect(view.snapshot.payload.json).toContain('"__proto__":{"metas"')
  })

  it("is empty when its last user has left", () => {
    const view = viewOf("ada")
    leave(view, rowOf("ada"))
    expect(view.isEmpty).toBe(true)
    expect(view.snapshot.state).toEqual({})
  })

  it("ignores the leave of a row that its channel has replaced", () => {
    const view = viewOf("ada")
    join(view, rowOf("ada", { ref: "new" }))
    leave(view, rowOf("ada"))
    expect(refsOf(view.snapshot.state)).toEqual([["ada", ["new"]]])
  })

  it("lists the devices of each node by the age of their channels, and nodes in the order in which they came", () => {
    const view = new TopicView(["9@b", "10@a", "2@a", "1@c", "10@b"].map((pid) => rowOf("ada", { pid, ref: pid })))
    expect(refsOf(view.snapshot.state)).toEqual([["ada", ["9@b", "10@b", "2@a", "10@a", "1@c"]]])
    leave(view, rowOf("ada", { pid: "10@a", ref: "10@a" }))
    join(view, rowOf("ada", { pid: "2@a", ref: "updated" }))
    expect(refsOf(view.snapshot.state)).toEqual([["ada", ["9@b", "10@b", "updated", "1@c"]]])
  })
})

describe("a state that is read later", () => {
  type Step =
    | { readonly kind: "join" | "leave"; readonly device: { readonly key: string; readonly pid: string } }
    | { readonly kind: "snapshot" | "read" }

  const devices = fc.record({
    key: fc.constantFrom("ada", "bob", "cy", "9", "__proto__"),
    pid: fc.constantFrom("1@a", "2@a", "1@b"),
  })
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("join", "leave"), device: devices }),
    fc.record({ kind: fc.constantFrom("snapshot", "read") }),
  ) as fc.Arbitrary<Step>

  it("shows the topic at the time of the call, in the order of arrival, after any later changes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const view = new TopicView([])
        const present = new Map<string, Row>()
        const arrived = new Set<string>()
        const taken: { state: PresenceState; expected: string }[] = []
        const check = ({ state, expected }: (typeof taken)[number]): void =>
          expect(JSON.stringify(state)).toBe(expected)
        for (const [at, step] of steps.entries()) {
          if ("device" in step) {
            const { key, pid } = step.device
            const place = `${key} ${pid}`
            const before = present.get(place)
            if (step.kind === "leave") {
              if (before === undefined) continue
              present.delete(place)
              leave(view, before)
              if (![...present.values()].some((row) => row.key === key)) arrived.delete(key)
            } else {
              arrived.add(key)
              const row = rowOf(key, { pid, ref: `${place} ${at}` })
              present.set(place, row)
              view.apply({ joins: [row], leaves: before === undefined ? [] : [before] })
            }
          } else if (step.kind === "snapshot") {
            const users: Record<string, unknown> = Object.create(null)
            for (const key of arrived) users[key] = view.get(key)
            taken.push({ state: view.snapshot.state, expected: JSON.stringify(users) })
          } else {
            const [some] = taken.splice(Math.floor(taken.length / 2), 1)
            if (some !== undefined) check(some)
          }
        }
        for (const each of taken) check(each)
      }),
      { numRuns: 500 },
    )
  })

  it("keeps users in the order of their arrival, also those that have left and returned since", () => {
    const view = viewOf("ada", "bob", "cy")
    const { state } = view.snapshot
    leave(view, rowOf("ada"), rowOf("bob"))
    join(view, rowOf("bob", { ref: "again" }), rowOf("dan"))
    expect(refsOf(state)).toEqual([
      ["ada", ["ada 1@a"]],
      ["bob", ["bob 1@a"]],
      ["cy", ["cy 1@a"]],
    ])
    expect(Object.keys(view.snapshot.state)).toEqual(["cy", "bob", "dan"])
  })

  it("is still right after a thousand later states that were never read", () => {
    const view = viewOf("ada", "bob")
    const { state } = view.snapshot
    for (let n = 0; n < 1_000; n += 1) {
      view.apply({ joins: [rowOf("ada", { ref: `${n}` })], leaves: [] })
      if (n % 2 === 0) expect(view.snapshot.state).not.toBe(state)
    }
    expect(refsOf(state)[0]).toEqual(["ada", ["ada 1@a"]])
  })

  it("is reported as read once, before its users are first read, and not when it is only encoded", () => {
    let reads = 0
    const view = new TopicView([rowOf("ada")], { onSnapshot: () => () => (reads += 1) })
    const { state, payload } = view.snapshot
    expect(payload.json).toContain("ada")
    expect(reads).toBe(0)
    expect("ada" in state).toBe(true)
    expect(Object.keys(state)).toEqual(["ada"])
    expect(reads).toBe(1)
  })
})

describe("a state", () => {
  const expected = { ada: { metas: [{ phx_ref: "ada 1@a" }] }, bob: { metas: [{ phx_ref: "bob 1@a" }] } }
  const fresh = (): PresenceState => viewOf("ada", "bob").snapshot.state

  it.each<[string, (state: PresenceState) => unknown, unknown]>([
    ["JSON.stringify", JSON.stringify, JSON.stringify(expected)],
    ["spread", (state) => ({ ...state }), expected],
    ["Object.keys", Object.keys, ["ada", "bob"]],
    ["Object.entries", Object.entries, Object.entries(expected)],
    ["in", (state) => ["ada" in state, "cy" in state], [true, false]],
    ["Object.hasOwn", (state) => Object.hasOwn(state, "ada"), true],
    ["for … in", (state) => Array.from(keysIn(state)), ["ada", "bob"]],
    ["Object.isFrozen", Object.isFrozen, true],
    ["Object.isExtensible", Object.isExtensible, false],
    ["Object.getPrototypeOf", Object.getPrototypeOf, null],
    ["a look-up", (state) => state["ada"], expected.ada],
    ["a look-up of what is not there", (state) => state["toString"], undefined],
    ["Object.getOwnPropertySymbols", Object.getOwnPropertySymbols, []],
    ["Node's console.log", (state) => inspect(state, { depth: 9 }), inspect(expected, { depth: 9 })],
    ["structuredClone of a spread", (state) => structuredClone({ ...state }), expected],
  ])("works with %s", (_what, use, result) => {
    expect(use(fresh())).toEqual(result)
    expect(fresh()).toEqual(expected)
  })

  it.each<[string, (state: Record<string, unknown>) => unknown]>([
    ["set", (state) => (state["ada"] = 1)],
    ["extended", (state) => (state["cy"] = 1)],
    ["defined", (state) => Object.defineProperty(state, "cy", { value: 1 })],
    ["deleted", (state) => delete state["ada"]],
    ["given a prototype", (state) => Object.setPrototypeOf(state, {})],
  ])("cannot be %s", (_what, change) => {
    const state = fresh()
    expect(() => change(state as Record<string, unknown>)).toThrow(TypeError)
    expect(state).toEqual(expected)
  })

  function* keysIn(state: object): Generator<string> {
    for (const key in state) yield key
  }
})

describe("the work of a change", () => {
  /** Lets `count` devices join and leave, and returns how often their rows were looked at. */
  function looksAt(count: number, keyOf: (n: number) => string): number {
    let looks = 0
    const rows = Array.from({ length: count }, (_, n) => ({
      topic: "t",
      key: keyOf(n),
      get pid() {
        looks += 1
        return `${n}@a`
      },
      get meta() {
        looks += 1
        return { phx_ref: `${n}` }
      },
    }))
    const view = new TopicView([])
    for (const row of rows) join(view, row)
    for (let n = count - 1; n >= 0; n -= 1) leave(view, rows[n]!)
    expect(view.isEmpty).toBe(true)
    return looks
  }

  it("is, within a small factor, the same for one of 10 000 devices of one user as for one of 10 000 users", () => {
    const ofManyUsers = looksAt(10_000, (n) => `user ${n}`)
    expect(looksAt(10_000, () => "ada")).toBeLessThan(ofManyUsers * 6)
  })
})
