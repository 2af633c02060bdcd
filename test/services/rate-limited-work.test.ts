import { expect, test } from "vitest"
import { RateLimitedWork } from "../../src/services/rate-limited-work.ts"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"

/** Work of which 100 pieces wait, at 50 a second. */
function waiting() {
  const network = new SeededNetwork({ seed: 1 })
  const work = new RateLimitedWork(network.node("a").timers, 50)
  const begun: string[] = []
  for (let n = 0; n < 100; n += 1) work.add(`${n}`, async () => void begun.push(`${n}`))
  return { network, work, begun }
}

test("work is begun in order, at the rate and not faster", async () => {
  const { network, begun } = waiting()
  await network.run(1_000)
  expect(begun.length).toBeGreaterThanOrEqual(49)
  expect(begun.length).toBeLessThanOrEqual(52)
  expect(begun).toEqual(begun.map((_, n) => `${n}`))
})

test("in a hurry, what waits is begun within the time that is left", async () => {
  const { network, work, begun } = waiting()
  work.hurry(500)
  await network.run(540)
  expect(begun).toHaveLength(100)
})

test("a hurry with time enough changes nothing", async () => {
  const { network, work, begun } = waiting()
  work.hurry(60_000)
  await network.run(2_040)
  expect(begun).toHaveLength(100)
})
