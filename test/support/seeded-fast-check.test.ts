import fc from "fast-check"
import { expect, test } from "vitest"

/** Returns the values that a property test draws. */
function drawn(): number[] {
  const values: number[] = []
  fc.assert(fc.property(fc.nat(), (value) => void values.push(value)))
  return values
}

test("property tests draw the same values in each run", () => {
  expect(drawn()).toEqual(drawn())
  expect(new Set(drawn()).size).toBeGreaterThan(50)
})
