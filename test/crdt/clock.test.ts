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
const nodeClocks: fc.Arbitrary<NodeClock[]> = fc.array(
  fc.record({ name: fc.constantFrom("a", "b", "c", "d"), clocks: anyVector }),
)

describe("version vectors", () => {
  it("dominate a vector if they have seen everything that it has seen, as each vector has of itself", () => {
    expect(dominates(vector({ n1: 2, n2: 1 }), vector({ n1: 1 }))).toBe(true)
    expect(dominates(vector({ n1: 2 }), vector({ n1: 2, n2: 1 }))).toBe(false)
    fc.assert(fc.property(anyVector, (a) => dominates(a, a)))
  })

  it("count a missing ref as 0", () => {
    expect(dominates(vector({}), vector({ n1: 0 }))).toBe(true)
    expect(dominates(vector({}), vector({ n1: 1 }))).toBe(false)
  })

  it("have an upper bound that dominates both, and would not if any of its clocks were lower", () => {
    fc.assert(
      fc.property(anyVector, anyVector, (a, b) => {
        const bound = upperBound(a, b)
        expect(dominates(bound, a) && dominates(bound, b)).toBe(true)
        for (const [ref, clock] of bound) {
          if (clock === 0) continue
          const lower = new Map(bound).set(ref, clock - 1)
          expect(dominates(lower, a) && dominates(lower, b)).toBe(false)
        }
      }),
    )
  })

  it("have a lower bound with the smaller clock of shared refs, and the other refs unchanged (T19)", () => {
    expect(lowerBound(vector({ n1: 3, n2: 1 }), vector({ n1: 2, n3: 7 }))).toEqual(vector({ n1: 2, n2: 1, n3: 7 }))
  })

  it("can be restricted to known refs", () => {
    expect(restrict(vector({ n1: 3, n2: 1 }), new Set(["n2", "n3"]))).toEqual(vector({ n2: 1 }))
  })

  it("accept any string as a ref, such as __proto__", () => {
    const odd = new Map([["__proto__", 2]])
    expect(dominates(new Map(), odd)).toBe(false)
    expect(upperBound(odd, new Map([["__proto__", 3]]))).toEqual(new Map([["__proto__", 3]]))
  })
})

describe("clock sets (T34)", () => {
  const n2 = { name: "n2", clocks: vector({ n1: 3, n2: 4 }) }
  const n3 = { name: "n3", clocks: vector({ n1: 3, n2: 3 }) }

  it("choose one node instead of those that it dominates, in whatever order their clocks arrive", () => {
    const me = { name: "me", clocks: vector({ n1: 3, n2: 2 }) }
    expect(nodesToAsk([n2, n3], me)).toEqual(["n2"])
    expect(nodesToAsk([n3, n2], me)).toEqual(["n2"])
  })

  it("choose none if the own vector dominates all others", () => {
    expect(nodesToAsk([n2, n3], { name: "me", clocks: vector({ n1: 3, n2: 4 }) })).toEqual([])
    expect(nodesToAsk([], { name: "me", clocks: vector({}) })).toEqual([])
  })

  it("choose two nodes if each has seen something that the other has not", () => {
    const other = { name: "n4", clocks: vector({ n1: 9 }) }
    expect(nodesToAsk([n2, other], { name: "me", clocks: vector({ n1: 1, n2: 1 }) })).toEqual(["n2", "n4"])
  })

  it("leave out a clock without refs, and replace a node's older clock by its newer one", () => {
    expect(appendClock([n2], { name: "n5", clocks: vector({}) })).toEqual([n2])
    const newer = { name: "n2", clocks: vector({ n1: 4, n2: 3 }) }
    expect(appendClock([n2], newer)).toEqual([newer])
  })

  it("keep nodes that together have seen everything, and no node that another one dominates", () => {
    fc.assert(
      fc.property(nodeClocks, (clocks) => {
        // Of several clocks of one name the last one counts: the clocks of a node only grow.
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
