/** What `onChange` reports, by the devices and fields that changed, and with which cause. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Presence, type Cause, type Change, type Entry } from "../../src/client/index.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { liveRoom } from "../support/live-room.ts"
import { meta } from "../support/presences.ts"

type Fields = Record<string, unknown>

const of = (...metas: object[]) => ({ metas })

/** A meta that replaces that of another ref. */
const after = (previous: string, ref: string, fields: object = {}) => meta(ref, { phx_ref_prev: previous, ...fields })

function setup(options?: { silent: boolean }) {
  const channel = new FakeChannel()
  const { store } = new Presence(channel)
  const calls: [cause: Cause, ...changes: Change[]][] = []
  store.onChange((changes, cause) => calls.push([cause, ...changes]), options)
  return { channel, store, calls, received: () => calls.splice(0) }
}

/** An update in short: the refs of its metas, and the names of its fields. */
function brief(change: Change | undefined) {
  if (change?.type !== "update") return change?.type
  const refs = (metas: readonly { phx_ref: string }[]) => metas.map(({ phx_ref }) => phx_ref)
  const replaced = change.replaced.map(
    (each) => `${each.previous.phx_ref}→${each.current.phx_ref} ${each.fields.join()}`,
  )
  return { added: refs(change.added), removed: refs(change.removed), replaced, fields: change.fields }
}

/** What is reported when `frame` follows the state in which `ada` has these metas. */
function update(metas: object[], joins: object[], leaves: object[]) {
  const { channel, store, received } = setup()
  channel.state({ ada: of(...metas) })
  received()
  channel.diff(joins.length > 0 ? { ada: of(...joins) } : {}, leaves.length > 0 ? { ada: of(...leaves) } : {})
  const calls = received()
  expect(calls.length).toBeLessThan(2)
  if (calls[0]) expect(calls[0][1]!.current).toBe(store.getSnapshot().get("ada"))
  return brief(calls[0]?.[1])
}

describe("an update names", () => {
  it("a device that joined beside others", () => {
    const change = update([meta("1", { n: 1 })], [meta("2", { n: 2 })], [])
    expect(change).toEqual({ added: ["2"], removed: [], replaced: [], fields: [] })
  })

  it("a device that left, while others stay", () => {
    const change = update([meta("1"), meta("2")], [], [meta("1")])
    expect(change).toEqual({ added: [], removed: ["1"], replaced: [], fields: [] })
  })

  it("a device that was replaced, and the fields that changed, came and went", () => {
    const change = update(
      [meta("1", { same: [1], changed: 1, gone: 1 })],
      [after("1", "2", { same: [1], changed: 2, come: 1 })],
      [meta("1")],
    )
    expect(change).toEqual({
      added: [],
      removed: [],
      replaced: ["1→2 changed,gone,come"],
      fields: ["changed", "gone", "come"],
    })
  })

  it("each of several devices that were replaced, one that came and one that left in the same frame", () => {
    const change = update(
      [meta("1", { n: 1 }), meta("2", { n: 2 }), meta("3", { n: 3 }), meta("4", { n: 4 })],
      [meta("5", { n: 5 }), after("3", "30", { n: 30 }), after("1", "10", { n: 1, m: 1 })],
      [meta("1"), meta("2"), meta("3")],
    )
    expect(change).toEqual({
      added: ["5"],
      removed: ["2"],
      replaced: ["3→30 n", "1→10 m"],
      fields: ["n", "m"],
    })
  })

  it("the first and the last of a chain of replacements in one frame, also of several devices at once", () => {
    const change = update(
      [meta("a1", { n: 1 }), meta("b1", { n: 1 })],
      [
        after("a1", "a2", { n: 2 }),
        after("b1", "b2", { n: 3 }),
        after("b2", "b3", { n: 4 }),
        after("a2", "a3", { n: 5 }),
        after("a3", "a4", { n: 6 }),
      ],
      [meta("a1"), meta("b1"), meta("a2"), meta("b2"), meta("a3")],
    )
    expect(change).toEqual({ added: [], removed: [], replaced: ["b1→b3 n", "a1→a4 n"], fields: ["n"] })
  })

  it("the same chain for two users whose refs are alike", () => {
    const { channel, received } = setup()
    channel.state({ ada: of(meta("1", { n: 1 })), bob: of(meta("1", { n: 1 })) })
    received()
    const joins = of(after("1", "2", { n: 2 }), after("2", "3", { n: 3 }))
    const leaves = of(meta("1"), meta("2"))
    channel.diff({ ada: joins, bob: joins }, { ada: leaves, bob: leaves })
    const [, ...changes] = received()[0]!
    expect(changes.map((change) => [change.key, brief(change)])).toEqual(
      ["ada", "bob"].map((key) => [key, { added: [], removed: [], replaced: ["1→3 n"], fields: ["n"] }]),
    )
  })

  it("a meta whose content changed under the same ref, as a state can show it", () => {
    const { channel, received } = setup()
    channel.state({ ada: of(meta("1", { n: 1 }), meta("2")) })
    received()
    channel.join = "2"
    channel.state({ ada: of(meta("1", { n: 2 }), meta("2")) })
    const [cause, change] = received()[0]!
    expect([cause, brief(change)]).toEqual(["resync", { added: [], removed: [], replaced: ["1→1 n"], fields: ["n"] }])
  })

  it("fields of the user itself", () => {
    const { channel, received } = setup()
    channel.state({ ada: { ...of(meta("1")), name: "Ada", nested: { a: [1] } } })
    received()
    channel.join = "2"
    channel.state({ ada: { ...of(meta("1")), name: "A.", nested: { a: [1] } } })
    expect(brief(received()[0]![1])).toEqual({ added: [], removed: [], replaced: [], fields: ["name"] })
  })

  it("metas without references as added and removed, and those that name each other in a circle", () => {
    expect(update([{ n: 1 }], [{ n: 2 }], [{ n: 1 }])).toMatchObject({ added: [undefined], removed: [undefined] })
    const circle = update(
      [meta("1", { n: 1 })],
      [after("3", "2", { n: 2 }), after("2", "3", { n: 3 }), after("3", "4", { n: 4 })],
      [meta("1"), meta("2"), meta("3")],
    )
    expect(circle).toMatchObject({ added: ["4"], removed: ["1"], replaced: [] })
  })

  it("a field that is nested too deeply to be compared as changed", () => {
    const deep = (end: string) => JSON.parse(`${"[".repeat(100_000)}${end}${"]".repeat(100_000)}`)
    const change = update([meta("1", { deep: deep("1") })], [after("1", "2", { deep: deep("2") })], [meta("1")])
    expect(change).toEqual({ added: [], removed: [], replaced: ["1→2 deep"], fields: ["deep"] })
  })
})

describe("an update of nothing but references", () => {
  it.each([
    ["one device", [meta("1", { n: { a: 1 } })], [after("1", "2", { n: { a: 1 } })], [meta("1")]],
    ["the last of several devices", [meta("1"), meta("2", { n: 1 })], [after("2", "3", { n: 1 })], [meta("2")]],
    [
      "a device that comes back without naming its predecessor",
      [meta("1", { n: 1 })],
      [meta("2", { n: 1 })],
      [meta("1")],
    ],
    [
      "several devices at once",
      [meta("1", { n: 1 }), meta("2", { n: 2 }), meta("3", { n: 1 })],
      [meta("4", { n: 1 }), after("2", "5", { n: 2 }), after("1", "6", { n: 1 })],
      [meta("1"), meta("2"), meta("3")],
    ],
    [
      "the first of several devices that are alike",
      [meta("1", { n: 1 }), meta("2", { n: 1 })],
      [after("1", "3", { n: 1 })],
      [meta("1")],
    ],
    [
      "a chain that ends where it began",
      [meta("1", { n: 1 })],
      [after("1", "2", { n: 2 }), after("2", "3", { n: 1 })],
      [meta("1"), meta("2")],
    ],
  ])("calls no listener of changes, users and selections, and is in the snapshot: %s", (_, metas, joins, leaves) => {
    const { room, state, diff } = liveRoom()
    state({ ada: of(...metas), bob: of(meta("b")) })
    const calls: string[] = []
    room.onChange(() => calls.push("change"))
    room.user("ada").subscribe(() => calls.push("user"))
    room.select((snapshot) => snapshot.get("ada")).subscribe(() => calls.push("select"))
    room.subscribe(() => calls.push("snapshot"))
    const before = room.getSnapshot()
    diff({ ada: of(...joins) }, { ada: of(...leaves) })
    expect(calls).toEqual(["snapshot"])
    expect(room.getSnapshot()).not.toBe(before)
    expect(room.user("ada").getSnapshot()).toBe(room.getSnapshot().get("ada"))
    const gone = new Set(leaves.map(({ phx_ref }) => phx_ref))
    const refs = [...metas, ...joins].map(({ phx_ref }) => phx_ref).filter((ref) => !gone.has(ref))
    expect(room.get("ada")!.metas.map(({ phx_ref }) => phx_ref)).toEqual(refs)
    diff({ bob: of(after("b", "c", { n: 1 })) }, { bob: of(meta("b")) })
    expect(calls).toEqual(["snapshot", "change", "snapshot"])
  })

  it("is reported if it changes the order of different devices, because the newest one may be shown", () => {
    const change = update([meta("1", { n: 1 }), meta("2", { n: 2 })], [after("1", "3", { n: 1 })], [meta("1")])
    expect(change).toEqual({ added: [], removed: [], replaced: [], fields: [] })
  })

  it("is not mistaken for one device more, or less, of equal content", () => {
    const fewer = update([meta("1"), meta("2")], [after("1", "3")], [meta("1"), meta("2")])
    expect(fewer).toMatchObject({ added: [], removed: ["2"] })
    const more = update([meta("1")], [after("1", "2"), meta("3")], [meta("1")])
    expect(more).toMatchObject({ added: ["3"], removed: [] })
  })

  it("is reported to listeners that ask for it, before the others are called", () => {
    const { channel, store, received } = setup({ silent: true })
    const order: string[] = []
    channel.state({ ada: of(meta("1")), bob: of(meta("1")) })
    received()
    store.onChange((changes) => order.push(`loud ${changes.map(({ key }) => key).join()}`))
    store.onChange((changes) => order.push(`silent ${changes.map(({ key }) => key).join()}`), { silent: true })
    channel.diff({ ada: of(after("1", "2")) }, { ada: of(meta("1")) })
    expect(brief(received()[0]![1])).toEqual({ added: [], removed: [], replaced: [], fields: [] })
    channel.diff(
      { ada: of(after("2", "3")), bob: of(after("1", "2", { n: 1 })) },
      { ada: of(meta("2")), bob: of(meta("1")) },
    )
    expect(order).toEqual(["silent ada", "silent ada,bob", "loud bob"])
  })
})

describe("the cause", () => {
  it("is initial for the first state, together with the diffs that waited for it, and is given once", () => {
    const { channel, received } = setup()
    channel.diff({ bob: of(meta("2")) })
    channel.state({ ada: of(meta("1")) })
    expect(
      received().map(([cause, ...changes]) => [cause, ...changes.map(({ type, key }) => `${type} ${key}`)]),
    ).toEqual([["initial", "join ada", "join bob"]])
    channel.diff({ cyd: of(meta("3")) })
    channel.state({ ada: of(meta("1")) })
    expect(received().map(([cause]) => cause)).toEqual(["diff", "resync"])
  })

  it("is initial also for a first state without users, and then never again", () => {
    const { channel, received } = setup()
    channel.state({})
    expect(received()).toEqual([["initial"]])
    channel.join = "2"
    channel.state({})
    channel.diff({}, {})
    expect(received()).toEqual([])
  })

  it("is resync for the state after a reconnect, which is not reported if nothing changed", async () => {
    const { room, state, diff, rejoin } = liveRoom()
    const causes: Cause[] = []
    room.onChange((_, cause) => causes.push(cause))
    state({ ada: of(meta("1", { n: 1 })) })
    await rejoin()
    state({ ada: of(meta("2", { n: 1 })) })
    await rejoin()
    state({ ada: of(meta("2", { n: 2 })) })
    diff({}, { ada: of(meta("2")) })
    expect(causes).toEqual(["initial", "resync", "diff"])
  })

  it("is initial for a room that is taken again before its state has come, and not for one that begins with a view", () => {
    const { room, connection, state } = liveRoom()
    room.leave()
    const second = connection.room("rooms:1")
    const causes: Cause[] = []
    second.onChange((_, cause) => causes.push(cause))
    state({ ada: of(meta("1")) })
    second.leave()
    const third = connection.room("rooms:1")
    third.onChange((_, cause) => causes.push(cause))
    state({ bob: of(meta("2")) })
    expect([third.size, causes]).toEqual([1, ["initial", "resync"]])
  })
})

/** The content of an entry without its references. */
const contentOf = ({ metas, ...extras }: Entry): unknown => [
  extras,
  metas.map(({ phx_ref: _ref, phx_ref_prev: _previous, ...content }) => JSON.stringify(content)),
]

/** What one key of a model server can do. */
const step = fc.record({
  key: fc.constantFrom("a", "b"),
  act: fc.constantFrom("join", "update", "update", "leave", "extras"),
  device: fc.nat(2),
  value: fc.nat(1),
})
/** A frame carries several steps: as a diff, as the state of the same join, or of the next one. */
const frame = fc.record({
  steps: fc.array(step, { maxLength: 5 }),
  as: fc.constantFrom("diff", "diff", "diff", "state", "rejoin", "late"),
})

it("adds up to the view, reports nothing twice, and reports each difference by its devices, in any order of frames", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), (frames) => {
      const { channel, store, received } = setup()
      const mirror = new Map<string, Entry>()
      const seen: Cause[] = []
      store.onChange(
        (all, cause) => {
          seen.push(cause)
          for (const { key, current } of all) {
            if (current) mirror.set(key, current)
            else mirror.delete(key)
          }
        },
        { silent: true },
      )
      const folded = new Map<string, Entry>()
      const truth = new Map<string, { metas: Map<number, any>; extras: Fields }>()
      let refs = 0
      const state = () =>
        Object.fromEntries(
          Array.from(truth, ([key, { metas, extras }]) => [key, { ...extras, metas: [...metas.values()] }]),
        )
      let calls = 0
      for (const { steps, as } of frames) {
        const joins: Record<string, { metas: any[] }> = {}
        const leaves: Record<string, { metas: any[] }> = {}
        for (const { key, act, device, value } of steps) {
          const known = truth.get(key)
          const user = known ?? { metas: new Map<number, any>(), extras: {} }
          const before = user.metas.get(device)
          const put = (diff: typeof joins, each: object) => {
            diff[key] = { ...user.extras, metas: [...(diff[key]?.metas ?? []), each] }
          }
          if (act === "extras") user.extras = { n: value }
          if (act === "leave" ? !before : act === "extras") continue
          if (before) put(leaves, before)
          user.metas.delete(device)
          if (act !== "leave") {
            const next = meta(`r${refs++}`, {
              value,
              ...(before && act === "update" ? { phx_ref_prev: before.phx_ref } : {}),
            })
            user.metas.set(device, next)
            put(joins, next)
          }
          if (user.metas.size > 0) truth.set(key, user)
          else truth.delete(key)
        }
        if (as === "rejoin") channel.join = String(Number(channel.join) + 1)
        if (as === "state" || as === "rejoin") channel.state(structuredClone(state()))
        else channel.diff(structuredClone(joins), structuredClone(leaves))
        if (as === "late") channel.state(structuredClone(state()))
        for (const [cause, ...changes] of received()) {
          expect(cause === "initial").toBe(calls++ === 0)
          expect(new Set(changes.map(({ key }) => key)).size).toBe(changes.length)
          if (cause !== "initial") expect(changes).not.toEqual([])
          for (const change of changes) {
            const { type, key, current, previous } = change
            const before = folded.get(key)
            expect(type).toBe(before ? (current ? "update" : "leave") : "join")
            if (before) expect(contentOf(previous!)).toEqual(contentOf(before))
            if (type === "update") expect(contentOf(current)).not.toEqual(contentOf(previous))
            if (change.type === "update") checkUpdate(change)
            if (current) folded.set(key, current)
            else folded.delete(key)
          }
        }
        const view = store.getSnapshot().users
        expect(view.map(contentOf)).toEqual(view.map(({ key }) => contentOf(folded.get(key)!)))
        expect([folded.size, [...mirror.values()]]).toEqual([view.length, view])
      }
      expect(seen.filter((cause) => cause === "initial").length).toBeLessThan(2)
    }),
    { numRuns: Number(process.env["RUNS"] ?? 500) },
  )
})

/** The metas that an update names lead from the previous ones to the current ones, but for what only changed its reference or moved. */
function checkUpdate(change: Change & { type: "update" }): void {
  const { previous, current, added, removed, replaced, fields } = change
  const textOf = ({ phx_ref: _ref, phx_ref_prev: _previous, ...content }: any) => JSON.stringify(content)
  const left = previous.metas.map(textOf)
  const take = (text: string) => {
    expect(left).toContain(text)
    left.splice(left.indexOf(text), 1)
  }
  for (const each of removed) take(textOf(each))
  for (const each of replaced) {
    take(textOf(each.previous))
    expect(each.fields).toEqual(["value"])
    expect(each.previous["value"]).not.toBe(each.current["value"])
  }
  left.push(...added.map(textOf), ...replaced.map((each) => textOf(each.current)))
  expect(left.sort()).toEqual(current.metas.map(textOf).sort())
  for (const name of ["n", "value"]) {
    const isChanged = name === "n" ? previous["n"] !== current["n"] : replaced.length > 0
    expect(fields.includes(name)).toBe(isChanged)
  }
}
