import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { dominates } from "../../src/crdt/clock.ts"
import { Generations } from "../../src/crdt/generations.ts"
import { Generation } from "../../src/crdt/generation.ts"
import { Orswot } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import { elementOf } from "./model-checked-set.ts"

/** `count` deltas in a row of replica `ref`, each of a join, an update and every third time a leave. */
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
const clock = (n: number, ref = "r1") => new Map([[ref, n]])

describe("a generation", () => {
  it("takes deltas that leave no gap, and none that does, from either side (T19)", () => {
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

  it("takes deltas of different replicas side by side", () => {
    const [one] = history(new Orswot("r1"), 1)
    const [, two] = history(new Orswot("r2"), 2)
    const generation = new Generation(one!)
    expect(generation.merge(two!)).toBe(true)
    expect(generation.toDelta().start).toEqual(new Map([...clock(0), ...two!.start]))
  })

  it("keeps what is over over, in whichever order its deltas come", () => {
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

  it("stays as it is when a delta comes again", () => {
    const deltas = history(new Orswot("r1"), 4)
    const generation = new Generation(deltas[0]!)
    for (const delta of deltas) generation.merge(delta)
    const once = generation.toDelta()
    for (const delta of deltas) expect(generation.merge(delta)).toBe(true)
    expect(generation.toDelta()).toEqual(once)
  })

  it("says what its deltas say one by one", () => {
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
  it("answer a clock with the smallest delta that leaves no gap, and bring it to that delta's end (T23)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (count, behind) => {
        const set = new Orswot("r1")
        const generations = new Generations([4, 12, 40])
        const deltas = history(set, count)
        for (const delta of deltas) generations.push(delta)
        const asker = observer("r1")
        for (const delta of deltas.slice(0, behind % (count + 1))) asker.merge(delta)
        const answer = generations.extract(asker.clocks())
        if (dominates(asker.clocks(), set.clocks())) {
          expect(answer).toBeUndefined()
        } else {
          asker.merge(answer ?? set.extract("observer", asker.clocks()))
          expect(asker.clocks().get("r1")).toBe(set.clocks().get("r1"))
          expect(shown(asker)).toEqual(shown(set))
        }
      }),
    )
  })

  it("answer who is a little behind with a little, who is far behind with more, and who is too far behind not at all", () => {
    const deltas = history(new Orswot("r1"), 50)
    const generations = new Generations([8, 24])
    for (const delta of deltas) generations.push(delta)
    const starts = deltas.slice(0, -1).map(({ end }) => generations.extract(end)?.start.get("r1"))
    const [none, wide, narrow, ...more] = new Set(starts)
    expect(none).toBeUndefined()
    expect(wide).toBeLessThan(narrow!)
    expect(more).toEqual([])
  })

  it("never grow beyond their sizes but for a single delta that does (T21)", () => {
    const set = new Orswot("r1")
    const generations = new Generations([10, 50])
    for (const delta of history(set, 200)) {
      generations.push(delta)
      const widest = generations.extract(delta.start)
      expect(widest!.parts.get("r1")!.rows.length).toBeLessThanOrEqual(50)
    }
  })

  it("stay as they are when a delta has been missed, until the gap is closed", () => {
    const deltas = history(new Orswot("r1"), 3)
    const generations = new Generations([100])
    generations.push(deltas[0]!)
    generations.push(deltas[2]!)
    expect(generations.extract(clock(0))?.end).toEqual(deltas[0]!.end)
    generations.push(deltas[1]!)
    generations.push(deltas[2]!)
    expect(generations.extract(clock(0))?.end).toEqual(deltas[2]!.end)
  })

  it("tell a replica of those it knows, and nothing of others", () => {
    const generations = new Generations()
    for (const ref of ["r1", "r2"]) for (const delta of history(new Orswot(ref), 2)) generations.push(delta)
    const answer = generations.extract(clock(0))!
    expect([...answer.parts.keys()]).toEqual(["r1"])
    expect([...answer.start.keys(), ...answer.end.keys()]).toEqual(["r1", "r1"])
    expect(generations.extract(clock(0, "r3"))).toBeUndefined()
  })

  it("keep the asker's own part, for whom it hands the delta on to (D4)", () => {
    const r1 = new Orswot("r1")
    r1.join("p", "t", "u", { n: 1 })
    const mine = r1.takeDelta()!
    const relay = new Generations()
    relay.push(mine)
    relay.push(history(new Orswot("r2"), 1)[0]!)
    const toR1 = relay.extract(new Map([...r1.clocks(), ["r2", 0]]))!
    const third = observer("r1", "r2")
    third.merge(mine)
    third.merge(toR1)
    expect(third.getByKey("t", "u").map(elementOf)).toEqual(["t|p|u|1"])
  })

  it("forget a removed replica (T24), and everything after a full transfer (T22)", () => {
    const generations = new Generations()
    for (const ref of ["r1", "r2"]) for (const delta of history(new Orswot(ref), 2)) generations.push(delta)
    generations.remove("r1")
    expect(generations.extract(clock(0))).toBeUndefined()
    expect([...generations.extract(new Map([...clock(0), ...clock(0, "r2")]))!.parts.keys()]).toEqual(["r2"])
    generations.clear()
    expect(generations.extract(clock(0, "r2"))).toBeUndefined()
  })

  it("are not changed through a delta that was pushed or handed out", () => {
    const deltas = history(new Orswot("r1"), 3)
    const before = structuredClone(deltas)
    const generations = new Generations([3, 100])
    generations.push(deltas[0]!)
    const handedOut = generations.extract(clock(0))!
    const copy = structuredClone(handedOut)
    for (const delta of deltas) generations.push(delta)
    expect(handedOut).toEqual(copy)
    expect(deltas).toEqual(before)
  })
})
