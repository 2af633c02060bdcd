import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { dominates } from "../../src/crdt/clock.ts"
import { Generations } from "../../src/crdt/generations.ts"
import { Generation } from "../../src/crdt/generation.ts"
import { Orswot } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import { elementOf } from "./model-checked-set.ts"

/** Returns `count` consecutive deltas of a set, each with a join and an update, and every third one with a leave. */
function history(set: Orswot, count: number): Delta[] {
  return Array.from({ length: count }, (_, n) => {
    set.join(`p${n}`, "t", `u${n}`, { n })
    set.update(`p${n}`, "t", `u${n}`, { n: n + 1000 })
    if (n % 3 === 2) set.leave(`p${n - 1}`, "t", `u${n - 1}`)
    return set.takeDelta()!
  })
}

function observer(...refs: string[]): Orswot {
  const set = new Orswot("observer")
  for (const ref of refs) set.replicaUp(ref)
  return set
}

const shown = (set: Orswot) => new Set(set.online().map(elementOf))

/** Returns the number of rows and ranges in a delta. */
function sizeOf(delta: Delta | undefined): number {
  let size = 0
  for (const { seen, rows } of delta?.parts.values() ?? []) size += rows.length + seen.length / 2
  return size
}

const clock = (n: number, ref = "r1") => new Map([[ref, n]])

describe("a generation", () => {
  it("joins a delta before or after it that leaves no gap, and no other (T19)", () => {
    const deltas = history(new Orswot("r1"), 5)
    const places = fc.integer({ min: 0, max: 4 })
    fc.assert(
      fc.property(places, places, (a, b) => {
        const before = new Generation(deltas[a]!)
        expect(before.merge(deltas[b]!)).toBe(Math.abs(a - b) <= 1)
        const { start, end } = before.toDelta()
        const covered = Math.abs(a - b) <= 1 ? [deltas[a]!, deltas[b]!] : [deltas[a]!]
        expect(start.get("r1")).toBe(Math.min(...covered.map((delta) => delta.start.get("r1")!)))
        expect(end.get("r1")).toBe(Math.max(...covered.map((delta) => delta.end.get("r1")!)))
      }),
    )
  })

  it("joins deltas of different replicas", () => {
    const [one] = history(new Orswot("r1"), 1)
    const [, two] = history(new Orswot("r2"), 2)
    const generation = new Generation(one!)
    expect(generation.merge(two!)).toBe(true)
    expect(generation.toDelta().start).toEqual(new Map([...clock(0), ...two!.start]))
  })

  it("keeps removed rows removed, in whatever order the deltas arrive", () => {
    const set = new Orswot("r1")
    set.join("p", "t", "u", { n: 1 })
    const join = set.takeDelta()!
    set.leave("p", "t", "u")
    const leave = set.takeDelta()!
    for (const [first, second] of [
      [join, leave],
      [leave, join],
    ] as const) {
      const generation = new Generation(first)
      expect(generation.merge(second)).toBe(true)
      expect(generation.toDelta().parts.get("r1")).toEqual({ seen: [1, 2], rows: [] })
    }
  })

  it("does not change when a delta arrives again", () => {
    const deltas = history(new Orswot("r1"), 4)
    const generation = new Generation(deltas[0]!)
    for (const delta of deltas) generation.merge(delta)
    const once = generation.toDelta()
    for (const delta of deltas) expect(generation.merge(delta)).toBe(true)
    expect(generation.toDelta()).toEqual(once)
  })

  it("leads to the same state as its deltas if they are merged one by one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(), fc.nat(), (count, i, j) => {
        const deltas = history(new Orswot("r1"), count)
        const [from, to] = [Math.min(i % count, j % count), Math.max(i % count, j % count)]
        const generation = new Generation(deltas[from]!)
        for (const delta of deltas.slice(from, to + 1)) generation.merge(delta)
        const [oneByOne, atOnce] = [observer("r1"), observer("r1")]
        for (const delta of deltas.slice(0, to + 1)) oneByOne.merge(delta)
        for (const delta of deltas.slice(0, from)) atOnce.merge(delta)
        atOnce.merge(generation.toDelta())
        expect(shown(atOnce)).toEqual(shown(oneByOne))
        expect(atOnce.clocks()).toEqual(oneByOne.clocks())
      }),
    )
  })
})

describe("generations", () => {
  it("bring a node at any clock up to date without a gap, or return nothing, so that the full state is sent (T23)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (count, behind) => {
        const set = new Orswot("r1")
        const generations = new Generations([4, 12, 40])
        const deltas = history(set, count)
        for (const delta of deltas) generations.push(delta)
        const receiver = observer("r1")
        for (const delta of deltas.slice(0, behind % (count + 1))) receiver.merge(delta)
        const response = generations.extract(receiver.clocks())
        if (dominates(receiver.clocks(), set.clocks())) {
          expect(response).toBeUndefined()
        } else {
          receiver.merge(response ?? set.extract("observer", receiver.clocks()))
          expect(receiver.clocks().get("r1")).toBe(set.clocks().get("r1"))
          expect(shown(receiver)).toEqual(shown(set))
        }
      }),
    )
  })

  it("give a small delta to a node that is a little behind, a larger one to a node that is far behind, and none to a node further behind", () => {
    const deltas = history(new Orswot("r1"), 50)
    const generations = new Generations([8, 24])
    for (const delta of deltas) generations.push(delta)
    const starts = deltas.slice(0, -1).map(({ end }) => generations.extract(end)?.start.get("r1"))
    const [none, wide, narrow, ...more] = new Set(starts)
    expect(none).toBeUndefined()
    expect(wide).toBeLessThan(narrow!)
    expect(more).toEqual([])
  })

  it("never grow beyond their maximum sizes, but come close to them (T21)", () => {
    const set = new Orswot("r1")
    const generations = new Generations([10, 50])
    const deltas = history(set, 200)
    const largest = { small: 0, wide: 0 }
    for (const [n, delta] of deltas.entries()) {
      generations.push(delta)
      const sizes = deltas.slice(0, n + 1).map(({ start }) => sizeOf(generations.extract(start)))
      largest.small = Math.max(largest.small, sizes.at(-1)!)
      largest.wide = Math.max(largest.wide, ...sizes)
    }
    expect(largest.small).toBeGreaterThan(5)
    expect(largest.small).toBeLessThanOrEqual(10)
    expect(largest.wide).toBeGreaterThan(25)
    expect(largest.wide).toBeLessThanOrEqual(50)
  })

  it("do not change after a missed delta, until a delta closes the gap", () => {
    const deltas = history(new Orswot("r1"), 3)
    const generations = new Generations([100])
    generations.push(deltas[0]!)
    generations.push(deltas[2]!)
    expect(generations.extract(clock(0))?.end).toEqual(deltas[0]!.end)
    generations.push(deltas[1]!)
    generations.push(deltas[2]!)
    expect(generations.extract(clock(0))?.end).toEqual(deltas[2]!.end)
  })

  it("give a node the parts of the replicas that it knows, and no others", () => {
    const generations = new Generations()
    for (const ref of ["r1", "r2"]) for (const delta of history(new Orswot(ref), 2)) generations.push(delta)
    const response = generations.extract(clock(0))!
    expect([...response.parts.keys()]).toEqual(["r1"])
    expect([...response.start.keys(), ...response.end.keys()]).toEqual(["r1", "r1"])
    expect(generations.extract(clock(0, "r3"))).toBeUndefined()
  })

  it("include the requesting replica's own part, for the nodes to which it passes the delta on (D4)", () => {
    const r1 = new Orswot("r1")
    r1.join("p", "t", "u", { n: 1 })
    const own = r1.takeDelta()!
    const relay = new Generations()
    relay.push(own)
    relay.push(history(new Orswot("r2"), 1)[0]!)
    const toR1 = relay.extract(new Map([...r1.clocks(), ["r2", 0]]))!
    const third = observer("r1", "r2")
    third.merge(own)
    third.merge(toR1)
    expect(third.getByKey("t", "u").map(elementOf)).toEqual(["t|p|u|1"])
  })

  it("forget a removed replica (T24), and everything when they are cleared for a full state (T22)", () => {
    const generations = new Generations()
    for (const ref of ["r1", "r2"]) for (const delta of history(new Orswot(ref), 2)) generations.push(delta)
    generations.remove("r1")
    expect(generations.extract(clock(0))).toBeUndefined()
    expect([...generations.extract(new Map([...clock(0), ...clock(0, "r2")]))!.parts.keys()]).toEqual(["r2"])
    generations.clear()
    expect(generations.extract(clock(0, "r2"))).toBeUndefined()
  })

  it("change neither the deltas that were pushed nor those that were returned", () => {
    const deltas = history(new Orswot("r1"), 3)
    const before = structuredClone(deltas)
    const generations = new Generations([3, 100])
    generations.push(deltas[0]!)
    const returned = generations.extract(clock(0))!
    const copy = structuredClone(returned)
    for (const delta of deltas) generations.push(delta)
    expect(returned).toEqual(copy)
    expect(deltas).toEqual(before)
  })
})
