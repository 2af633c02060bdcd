/** `sortBy`, its windows, and `groupBy`. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { groupBy, sortBy, type Entry } from "../../src/client/index.ts"
import { liveRoom } from "../support/live-room.ts"
import { meta } from "../support/presences.ts"

type Fields = { n: number }
type User = Entry<Fields>

const user = (ref: string, n: number) => ({ metas: [meta(ref, { n })] })
const numberOf = ({ metas: [first] }: User) => first.n
const byNumber = (a: User, b: User) => numberOf(a) - numberOf(b)
const keysOf = (users: readonly User[]) => users.map(({ key }) => key).join("")

/** `ada` and the others have the numbers of the state. */
function setup(numbers: Record<string, number> = { a: 3, b: 1, c: 2, d: 4 }) {
  const live = liveRoom<Fields>()
  let refs = 0
  const present = new Map<string, ReturnType<typeof user>>()
  const next = (key: string, n: number) => {
    const each = user(`r${refs++}`, n)
    present.set(key, each)
    return each
  }
  live.state(Object.fromEntries(Object.entries(numbers).map(([key, n]) => [key, next(key, n)])))
  /** Users that join, get another number or, with `undefined`, leave. */
  const change = (numbersOf: Record<string, number | undefined>) => {
    const leaves = Object.fromEntries(
      Object.keys(numbersOf).flatMap((key) => (present.has(key) ? [[key, present.get(key)]] : [])),
    )
    const joins = Object.fromEntries(
      Object.entries(numbersOf).flatMap(([key, n]) => (n === undefined ? [] : [[key, next(key, n)]])),
    )
    for (const [key, n] of Object.entries(numbersOf)) if (n === undefined) present.delete(key)
    live.diff(joins, leaves)
  }
  return { ...live, change }
}

describe("sortBy", () => {
  it("is the list in the given order, and calls its listeners after each change", () => {
    const { room, change } = setup()
    const sorted = sortBy(room, byNumber)
    const { getSnapshot, subscribe } = sorted
    expect(keysOf(getSnapshot())).toBe("bcad")
    expect([getSnapshot() === getSnapshot(), Object.isFrozen(getSnapshot())]).toEqual([true, true])
    const seen: string[] = []
    const undo = subscribe(() => seen.push(keysOf(getSnapshot())))
    change({ a: 0 })
    change({ e: 2.5, d: undefined })
    change({ c: 9, b: 8 })
    undo()
    undo()
    change({ a: 10 })
    expect(seen).toEqual(["abcd", "abce", "aebc"])
    expect(keysOf(getSnapshot())).toBe("ebca")
  })

  it("keeps the order of first arrival among equals, also of one that left and came back", () => {
    const { room, change } = setup({ a: 1, b: 1, c: 0 })
    const sorted = sortBy(room, byNumber)
    sorted.subscribe(() => {})
    change({ c: 1 })
    change({ d: 1 })
    expect(keysOf(sorted.getSnapshot())).toBe("abcd")
    change({ a: undefined })
    change({ a: 1 })
    expect(keysOf(sorted.getSnapshot())).toBe("bcda")
    expect(sorted.getSnapshot()).toEqual(room.list())
  })

  it("has windows whose listeners are called only when what they show has changed", () => {
    const { room, change } = setup()
    const sorted = sortBy(room, byNumber)
    const windows = [sorted.window(0, 2), sorted.window(2, 4), sorted.window(4, 10), sorted.window(-2, 1)]
    const seen: string[] = []
    for (const [at, window] of windows.entries()) {
      window.subscribe(() => seen.push(`${at}${keysOf(window.getSnapshot())}`))
    }
    const before = windows.map((window) => window.getSnapshot())
    expect(before.map(keysOf)).toEqual(["bc", "ad", "", "b"])
    change({ d: 5 })
    expect(seen.splice(0)).toEqual(["1ad"])
    expect(windows.map((window, at) => window.getSnapshot() === before[at])).toEqual([true, false, true, true])
    change({ e: 6 })
    expect(seen.splice(0)).toEqual(["2e"])
    change({ b: undefined })
    expect(seen.splice(0)).toEqual(["0ca", "1de", "2", "3c"])
    change({ z: 100 })
    change({ z: undefined })
    expect(seen.splice(0)).toEqual(["2z", "2"])
  })

  it("shows new references without a call of its listeners", () => {
    const { room, change } = setup()
    const sorted = sortBy(room, byNumber)
    const first = sorted.window(0, 1)
    let calls = 0
    sorted.subscribe(() => calls++)
    first.subscribe(() => calls++)
    change({ b: 1 })
    expect([calls, first.getSnapshot()[0], sorted.getSnapshot()[0]]).toEqual([0, room.get("b"), room.get("b")])
    change({ a: 7 })
    expect(calls).toBe(1)
  })

  it("is up to date in a listener of the room that was added before", () => {
    const { room, change } = setup()
    const seen: string[] = []
    room.onChange(() => seen.push(keysOf(sorted.getSnapshot())))
    const sorted = sortBy(room, byNumber)
    sorted.subscribe(() => {})
    change({ a: 0 })
    expect(seen).toEqual(["abcd"])
  })

  it("reports what compare throws, and is right again after that", () => {
    const { room, errors, change } = setup()
    let isBroken = false
    const sorted = sortBy(room, (a, b) => {
      if (isBroken) throw new Error("broken")
      return byNumber(a, b)
    })
    sorted.subscribe(() => {})
    isBroken = true
    change({ a: 0 })
    expect(errors.map(({ code }) => code)).toContain("callback_failed")
    expect(() => sorted.getSnapshot()).toThrow("broken")
    isBroken = false
    expect(keysOf(sorted.getSnapshot())).toBe("abcd")
    change({ d: -1 })
    expect(keysOf(sorted.getSnapshot())).toBe("dabc")
  })

  it("finds its users again if compare does not keep to one order", () => {
    const { room, change } = setup()
    let sign = 1
    const sorted = sortBy(room, (a, b) => sign * byNumber(a, b))
    sorted.subscribe(() => {})
    sign = -1
    change({ b: undefined })
    change({ d: undefined })
    expect([...sorted.getSnapshot()].sort(byNumber).map(({ key }) => key)).toEqual(["c", "a"])
  })

  it("compares a few places for each change in a room of 10 000, and all of them once", () => {
    const numbers = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`user ${at}`, (at * 7919) % 10_007]))
    const { room, change } = setup(numbers)
    let compared = 0
    const sorted = sortBy(room, (a, b) => {
      compared++
      return byNumber(a, b)
    })
    let calls = 0
    const window = sorted.window(5_000, 5_050)
    window.subscribe(() => calls++)
    compared = 0
    for (let at = 0; at < 1_000; at++) change({ [`user ${at * 7}`]: (at * 104_729) % 10_007, [`new ${at}`]: at })
    // Two searches for an update, one for a join, each of log2(11 000) places.
    expect(compared).toBeLessThan(1_000 * 3 * 15)
    expect(calls).toBeGreaterThan(100)
    compared = 0
    change(Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`user ${at}`, at])))
    expect(compared).toBeLessThan(200 * 15)
    compared = 0
    change(Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`user ${at}`, at])))
    expect(compared).toBeLessThan(5_000 * 13 + 2 * 11_000)
    compared = 0
    expect(window.getSnapshot()).toEqual([...room.list()].sort(byNumber).slice(5_000, 5_050))
    expect(sorted.getSnapshot()).toHaveLength(11_000)
    expect(compared).toBe(0)
  })
})

describe("groupBy", () => {
  it("has the users of each group in order of arrival, and keeps the arrays of groups without changes", () => {
    const { room, change } = setup({ a: 1, b: 2, c: 1 })
    let asked = 0
    const groups = groupBy(room, (each) => {
      asked++
      return numberOf(each)
    })
    const brief = () => Array.from(groups.getSnapshot(), ([group, users]) => `${group}${keysOf(users)}`).join(" ")
    const seen: string[] = []
    groups.subscribe(() => seen.push(brief()))
    const first = groups.getSnapshot()
    expect([brief(), groups.getSnapshot() === first, asked]).toEqual(["1ac 2b", true, 3])
    change({ d: 2 })
    expect(groups.getSnapshot()).not.toBe(first)
    expect(groups.getSnapshot().get(1)).toBe(first.get(1))
    change({ a: 2, b: undefined })
    change({ c: 3 })
    change({ c: 3 })
    expect([seen, asked]).toEqual([["1ac 2bd", "1c 2ad", "2ad 3c"], 3 + 1 + 1 + 1 + 1])
    expect(Array.from(first, ([group, users]) => `${group}${keysOf(users)}`)).toEqual(["1ac", "2b"])
  })

  it("keeps the place of a group whose only user changed", () => {
    const { room, change } = setup({ a: 1, b: 2 })
    const groups = groupBy(room, () => "all")
    const single = groupBy(room, ({ key }) => key)
    groups.subscribe(() => {})
    single.subscribe(() => {})
    change({ a: 9 })
    expect([[...groups.getSnapshot().keys()], [...single.getSnapshot().keys()]]).toEqual([["all"], ["a", "b"]])
  })
})

const key = fc.constantFrom(..."abcdefgh")
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ change: fc.dictionary(key, fc.option(fc.nat(3), { nil: undefined })) }) },
  { weight: 2, arbitrary: fc.record({ state: fc.dictionary(key, fc.nat(3)) }) },
  { weight: 1, arbitrary: fc.constantFrom("subscribe", "unsubscribe") },
  { weight: 1, arbitrary: fc.constant("read") },
)

it("shows what sorting and grouping the list anew gives, with and without a subscriber, after any frames", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), (steps, areMany) => {
      const numbers = Object.fromEntries(Array.from({ length: areMany ? 40 : 0 }, (_, at) => [`many ${at}`, at % 5]))
      const { room, state, change } = setup(numbers)
      const sorted = sortBy(room, byNumber)
      const window = sorted.window(1, 3)
      const groups = groupBy(room, numberOf)
      const views = [sorted, window, groups]
      const undo: (() => void)[] = []
      const seen: unknown[] = []
      const latest: unknown[] = views.map((view) => view.getSnapshot())
      const subscribe = (at: number) => {
        latest[at] = views[at]!.getSnapshot()
        return views[at]!.subscribe(() => {
          expect(views[at]!.getSnapshot()).not.toBe(latest[at])
          latest[at] = views[at]!.getSnapshot()
          seen.push(at)
        })
      }
      let refs = 0
      const check = () => {
        const users = [...room.list()].sort(byNumber)
        expect(sorted.getSnapshot()).toEqual(users)
        expect(sorted.getSnapshot().every((each) => each === room.get(each.key))).toBe(true)
        expect(window.getSnapshot()).toEqual(users.slice(1, 3))
        const expected = new Map<number, User[]>()
        for (const each of room.list()) expected.set(numberOf(each), [...(expected.get(numberOf(each)) ?? []), each])
        expect(groups.getSnapshot()).toEqual(expected)
      }
      for (const each of steps) {
        if (each === "subscribe") undo.push(...views.map((_, at) => subscribe(at)))
        else if (each === "unsubscribe") for (const stop of undo.splice(0)) stop()
        else if (each === "read") check()
        else if ("change" in each) change(each.change)
        else state(Object.fromEntries(Object.entries(each.state).map(([name, n]) => [name, user(`s${refs++}`, n)])))
        // Without a subscriber, several frames may lie between two reads.
        if (undo.length > 0) check()
      }
      check()
    }),
    { numRuns: Number(process.env["RUNS"] ?? 300) },
  )
})
