import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { digestOf, dominates, restrict, type VersionVector } from "../../src/crdt/clock.ts"

const vector = (clocks: Record<string, number>): VersionVector => new Map(Object.entries(clocks))
const anyVector: fc.Arbitrary<VersionVector> = fc
  .dictionary(fc.constantFrom("n1", "n2", "n3"), fc.nat({ max: 4 }))
  .map(vector)

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

  it("can be restricted to known refs", () => {
    expect(restrict(vector({ n1: 3, n2: 1 }), new Set(["n2", "n3"]))).toEqual(vector({ n2: 1 }))
  })

  it("accept any string as a ref, such as __proto__", () => {
    const odd = new Map([["__proto__", 2]])
    expect(dominates(new Map(), odd)).toBe(false)
    expect(dominates(odd, new Map([["__proto__", 2]]))).toBe(true)
  })
})

describe("a digest", () => {
  it("is the same for equal vectors, in whatever order their refs are, and whether or not a ref with clock 0 is there", () => {
    fc.assert(
      fc.property(anyVector, (clocks) => {
        const turned = new Map(Array.from(clocks).sort(([a], [b]) => (a < b ? 1 : -1)))
        expect(digestOf(turned)).toEqual(digestOf(clocks))
        expect(digestOf(new Map([...clocks, ["n9", 0]]))).toEqual(digestOf(clocks))
      }),
    )
  })

  it("differs for vectors that differ, also where the sums of their clocks are equal", () => {
    fc.assert(
      fc.property(anyVector, anyVector, (a, b) => {
        const [one, other] = [digestOf(a), digestOf(b)]
        const isEqual = dominates(a, b) && dominates(b, a)
        expect(one.sum === other.sum && one.hash === other.hash).toBe(isEqual)
      }),
    )
    expect(digestOf(vector({ n1: 2, n2: 1 }))).not.toEqual(digestOf(vector({ n1: 1, n2: 2 })))
    expect(digestOf(vector({ n1: 2 ** 40 })).hash).not.toBe(digestOf(vector({ n1: 2 ** 41 })).hash)
  })
})
