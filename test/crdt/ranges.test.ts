import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  countClocks,
  hasClock,
  normalRanges,
  prefixOf,
  rangesOf,
  uniteRanges,
  type Ranges,
} from "../../src/crdt/ranges.ts"

const clock = fc.integer({ min: 1, max: 40 })
const clocks = fc.uniqueArray(clock)
const all = Array.from({ length: 42 }, (_, i) => i)
const listed = (ranges: Ranges) => all.filter((clock) => hasClock(ranges, clock))
const ascending = (numbers: readonly number[]) => all.filter((clock) => numbers.includes(clock))

describe("ranges of clocks", () => {
  it("contain exactly the clocks that they were created from, in any order", () => {
    fc.assert(
      fc.property(fc.array(clock), (from) => {
        expect(listed(rangesOf(from))).toEqual(ascending(from))
        expect(countClocks(rangesOf(from))).toBe(new Set(from).size)
      }),
    )
  })

  it("have one form for each set of clocks: ascending, with a gap between every two ranges", () => {
    expect(rangesOf([9, 3, 1, 2, 3])).toEqual([1, 3, 9, 9])
    fc.assert(
      fc.property(fc.shuffledSubarray(all.slice(1)), (from) => {
        expect(rangesOf(from)).toEqual(rangesOf(ascending(from)))
      }),
    )
  })

  it("unite to the clocks of both sides", () => {
    fc.assert(
      fc.property(clocks, clocks, (left, right) => {
        expect(uniteRanges(rangesOf(left), rangesOf(right))).toEqual(rangesOf([...left, ...right]))
      }),
    )
  })

  it("have a prefix only if they start at 1", () => {
    expect(prefixOf([])).toBe(0)
    expect(prefixOf([1, 7, 9, 9])).toBe(7)
    expect(prefixOf([2, 7])).toBe(0)
  })

  it("are returned as the same array by normalRanges if they are valid", () => {
    fc.assert(
      fc.property(clocks, (from) => {
        const ranges = rangesOf(from)
        expect(normalRanges(ranges)).toBe(ranges)
      }),
    )
  })

  it("from a remote node lose invalid pairs and are sorted and joined", () => {
    expect(normalRanges([5, 6, 1, 2])).toEqual([1, 2, 5, 6])
    expect(normalRanges([1, 5, 3, 9, 10, 10])).toEqual([1, 10])
    expect(normalRanges([0, 3, -2, 1, 4, 2, 1.5, 9, Number.NaN, 7, 8, Infinity, 2 ** 53, 2 ** 53 + 2, 11, 11])).toEqual(
      [11, 11],
    )
    expect(normalRanges([1, 2, 3])).toEqual([1, 2])
    const odd = fc.oneof(fc.integer({ min: -2, max: 40 }), fc.double(), fc.constant(Number.MAX_SAFE_INTEGER))
    fc.assert(
      fc.property(fc.array(odd), (ranges) => {
        const normal = normalRanges(ranges)
        expect(normalRanges(normal)).toBe(normal)
      }),
    )
  })

  it("can be united and searched at any length, without counting up to it", () => {
    const vast = [1, Number.MAX_SAFE_INTEGER]
    expect(uniteRanges(vast, [5, 5])).toEqual(vast)
    expect(hasClock(vast, 2 ** 52)).toBe(true)
  })
})
