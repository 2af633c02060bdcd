import { expect, test } from "vitest"
import {
  FIRST_DELAY_MS,
  HEALTHY_UPTIME_MS,
  MAX_DELAY_MS,
  RestartBackoff,
} from "../../../src/server/lifecycle/restart-backoff.ts"

/** Returns the first `count` restart delays of a worker that always dies at once. */
function delays(count: number, random: () => number): number[] {
  const backoff = new RestartBackoff(random)
  return Array.from({ length: count }, () => backoff.nextDelay(0))
}

test("the delay doubles with each early death of a worker, up to a bound", () => {
  const longest = delays(12, () => 1)
  expect(longest.slice(0, 4)).toEqual([1, 2, 4, 8].map((factor) => factor * FIRST_DELAY_MS))
  expect(longest.slice(-3)).toEqual([MAX_DELAY_MS, MAX_DELAY_MS, MAX_DELAY_MS])
})

test("half of each delay is random", () => {
  const [shortest, middle, longest] = [0, 0.5, 1].map((number) => delays(12, () => number))
  expect(shortest).toEqual(longest?.map((ms) => ms / 2))
  expect(middle).toEqual(longest?.map((ms) => ms * 0.75))
})

test("a worker that ran for a good while is restarted at once, and the next delay begins anew", () => {
  const backoff = new RestartBackoff(() => 1)
  const uptimes = [0, 0, HEALTHY_UPTIME_MS - 1, HEALTHY_UPTIME_MS, 0]
  expect(uptimes.map((ms) => backoff.nextDelay(ms))).toEqual([
    FIRST_DELAY_MS,
    2 * FIRST_DELAY_MS,
    4 * FIRST_DELAY_MS,
    0,
    FIRST_DELAY_MS,
  ])
})
