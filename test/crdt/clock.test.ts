import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  appendClock,
  dominates,
  lowerBound,
  nodesToAsk,
  restrict,
  upperBound,
  type NodeClock,
  type VersionVector,
} from "../../src/crdt/clock.ts"

const vector = (clocks: Record<string, number>): VersionVector => new Map(Object.entries(clocks))
const anyVector: fc.Arbitrary<VersionVector> = fc
  .dictionary(fc.constantFrom("n1", "n2", "n3"), fc.nat({ max: 4 }))
  .map(vector)
const heard: fc.Arbitrary<NodeClock[]> = fc.array(
  fc.record({ name: fc.constantFrom("a", "b", "c", "d"), clocks: anyVector }),
)

describe("version vectors", () => {
  it("dominate what they have seen all of, themselves among it", () => {
    expect(dominates(vector({ n1: 2, n2: 1 }), vector({ n1: 1 }))).toBe(true)
    expect(dominates(vector({ n1: 2 }), vector({ n1: 2, n2: 1 }))).toBe(false)
    fc.assert(fc.property(anyVector, (a) => dominates(a, a)))
  })

  it("count a ref that is missing as 0", () => {
    expect(dominates(vector({}), vector({ n1: 0 }))).toBe(true)
    expect(dominates(vector({}), vector({ n1: 1 }))).toBe(false)
  })

  it("have an upper bound that dominates both, and is the least that does", () => {
    fc.assert(
      fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
        const bound = upperBound(a, b)
        expect(dominates(bound, a) && dominates(bound, b)).toBe(true)
        if (dominates(c, a) && dominates(c, b)) expect(dominates(c, bound)).toBe(true)
      }),
    )
  })

  it("have a lower bound with the smaller clock of shared refs, and the other refs as they are (T19)", () => {
    expect(lowerBound(vector({ n1: 3, n2: 1 }), vector({ n1: 2, n3: 7 }))).toEqual(vector({ n1: 2, n2: 1, n3: 7 }))
  })

  it("are restricted to known refs", () => {
    expect(restrict(vector({ n1: 3, n2: 1 }), new Set(["n2", "n3"]))).toEqual(vector({ n2: 1 }))
  })

  it("take any ref for a name, __proto__ too", () => {
    const odd = new Map([["__proto__", 2]])
    expect(dominates(new Map(), odd)).toBe(false)
    expect(upperBound(odd, new Map([["__proto__", 3]]))).toEqual(new Map([["__proto__", 3]]))
  })
})

describe("clock sets (T34)", () => {
  const n2 = { name: "n2", clocks: vector({ n1: 3, n2: 4 }) }
  const n3 = { name: "n3", clocks: vector({ n1: 3, n2: 3 }) }

  it("ask one node in place of those it dominates, in whichever order they are heard", () => {
    const me = { name: "me", clocks: vector({ n1: 3, n2: 2 }) }
    expect(nodesToAsk([n2, n3], me)).toEqual(["n2"])
    expect(nodesToAsk([n3, n2], me)).toEqual(["n2"])
  })

  it("ask nobody when one has seen it all", () => {
    expect(nodesToAsk([n2, n3], { name: "me", clocks: vector({ n1: 3, n2: 4 }) })).toEqual([])
    expect(nodesToAsk([], { name: "me", clocks: vector({}) })).toEqual([])
  })

  it("ask two that each know what the other does not", () => {
    const other = { name: "n4", clocks: vector({ n1: 9 }) }
    expect(nodesToAsk([n2, other], { name: "me", clocks: vector({ n1: 1, n2: 1 }) })).toEqual(["n2", "n4"])
  })

  it("leave out a clock without refs, and put a node's newer clock in the place of its older one", () => {
    expect(appendClock([n2], { name: "n5", clocks: vector({}) })).toEqual([n2])
    const newer = { name: "n2", clocks: vector({ n1: 4, n2: 3 }) }
    expect(appendClock([n2], newer)).toEqual([newer])
  })

  it("name nodes that together have seen all that was heard, and never a node that is dominated by another named", () => {
    fc.assert(
      fc.property(heard, (clocks) => {
        // The last clock of a name counts, as a node's clocks only grow.
        const last = [...new Map(clocks.map((clock) => [clock.name, clock])).values()]
        const set = last.reduce<readonly NodeClock[]>((set, clock) => appendClock(set, clock), [])
        const bound = last.reduce((sum, clock) => upperBound(sum, clock.clocks), vector({}))
        expect(
          dominates(
            set.reduce((sum, clock) => upperBound(sum, clock.clocks), vector({})),
            bound,
          ),
        ).toBe(true)
        for (const a of set) for (const b of set) if (a !== b) expect(dominates(a.clocks, b.clocks)).toBe(false)
      }),
    )
  })
})
