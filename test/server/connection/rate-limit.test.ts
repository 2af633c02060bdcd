import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { RateLimiter } from "../../../src/server/rate-limit.ts"

/** Returns the events at these times that pass. */
const passing = (times: readonly number[], max: number): number[] => {
  const limiter = new RateLimiter()
  return times.filter((now) => !limiter.exceeds(max, now))
}

const repeat = (now: number, times: number): number[] => Array.from({ length: times }, () => now)

/** Times that never go back: bursts, and gaps of up to two seconds. */
const times = fc
  .array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true }), fc.nat(2_000)), { maxLength: 300 })
  .map((gaps) => {
    let now = 0
    return gaps.map((gap) => (now += gap))
  })

describe("a rate limiter", () => {
  it("never lets more than max events pass in any second", () => {
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 40 }), (events, max) => {
        const passed = passing(events, max)
        for (const [at, start] of passed.entries()) {
          expect(passed.slice(at).filter((time) => time < start + 1_000).length).toBeLessThanOrEqual(max)
        }
      }),
    )
  })

  it("lets no second burst pass at the boundary between two seconds", () => {
    expect(passing([...repeat(999, 10), ...repeat(1_000, 10)], 10)).toEqual(repeat(999, 10))
  })

  it("lets a burst of max events pass every second", () => {
    const bursts = [0, 1_000, 2_000, 3_000].flatMap((now) => repeat(now, 10))
    expect(passing(bursts, 10)).toEqual(bursts)
  })

  it("lets an even stream of 96 % of max pass", () => {
    const stream = Array.from({ length: 9_600 }, (_, at) => (at * 1_000) / 960)
    expect(passing(stream, 1_000)).toEqual(stream)
  })

  it("does not count an event that it refuses: constant attempts do not keep a client out", () => {
    const attempts = Array.from({ length: 300 }, (_, at) => at * 10)
    expect(passing(attempts, 1)).toEqual([0, 1_000, 2_000])
  })

  it("passes everything when max is Infinity", () => {
    expect(passing(repeat(0, 1_000), Infinity)).toHaveLength(1_000)
  })
})
