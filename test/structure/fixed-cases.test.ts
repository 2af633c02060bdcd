import fc from "fast-check"
import { expect, test } from "vitest"

test("property tests have the same cases in each run", () => {
  expect(fc.readConfigureGlobal()).toEqual({ seed: Number(process.env["SEED"] ?? 1) })
})
