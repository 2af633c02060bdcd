import fc from "fast-check"
import { expect, test } from "vitest"
import { ReplayWindow } from "../../src/services/replay-window.ts"

const SIZE = 16_384

test("accepts each number once, in any order, and none that is further back than the window", () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: -20, max: 20 }) },
      { weight: 1, arbitrary: fc.integer({ min: -SIZE - 5, max: -SIZE + 5 }) },
      { weight: 1, arbitrary: fc.integer({ min: SIZE - 5, max: 3 * SIZE }) },
    ),
    { minLength: 1, maxLength: 200 },
  )
  fc.assert(
    fc.property(steps, (steps) => {
      const window = new ReplayWindow()
      const accepted = new Set<number>()
      let highest = 0
      for (const step of steps) {
        const number = Math.max(1, highest + step)
        const isNew = number > highest - SIZE && !accepted.has(number)
        expect(window.accept(number), `${number} after ${highest}`).toBe(isNew)
        accepted.add(number)
        highest = Math.max(highest, number)
      }
    }),
  )
})

test("accepts numbers as large as they can be", () => {
  const window = new ReplayWindow()
  for (const number of [1, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER]) {
    expect(window.accept(number)).toBe(true)
    expect(window.accept(number)).toBe(false)
  }
  expect(window.accept(1)).toBe(false)
})
