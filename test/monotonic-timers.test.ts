import fc from "fast-check"
import { expect, test } from "vitest"
import { monotonicTimers } from "../src/monotonic-timers.ts"
import { SeededNetwork } from "../src/testing/seeded-network.ts"

/** Timers over a clock that a test can set, in virtual time. */
function settable(): { network: SeededNetwork; timers: ReturnType<typeof monotonicTimers>; jump(ms: number): void } {
  const network = new SeededNetwork({ seed: 1 })
  const { timers } = network.node("n1")
  let offset = 0
  return {
    network,
    timers: monotonicTimers({ ...timers, now: () => timers.now() + offset }),
    jump: (ms) => void (offset += ms),
  }
}

test("readings never go back, and go on after the clock was set back", async () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: -10_000, max: 10_000 }), fc.integer({ min: 1, max: 1_000 })))
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const { network, timers, jump } = settable()
      let last = timers.now()
      for (const [ms, rest] of steps) {
        jump(ms)
        const after = timers.now()
        expect(after).toBeGreaterThanOrEqual(last)
        await network.run(rest)
        last = timers.now()
        expect(last - after).toBeCloseTo(rest, 1)
      }
    }),
  )
})
