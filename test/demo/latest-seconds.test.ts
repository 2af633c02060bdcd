import { expect, it } from "vitest"
import { createLatestSeconds, PLOTTED_SECONDS } from "../../demo/services/latest-seconds.ts"

it("counts the jobs of each worker, those that failed, and how long half of them and 19 of 20 took", () => {
  const seconds = createLatestSeconds()
  for (let ms = 1; ms <= 20; ms += 1) seconds.add(ms <= 5 ? 4 : 1, ms)
  seconds.add(0, 3_000)
  expect(seconds.next()).toEqual({ at: 0, counts: [15, 0, 0, 5], failed: 1, median: 10, p95: 19 })
  expect(seconds.next()).toEqual({ at: 1, counts: [0, 0, 0, 0], failed: 0, median: 0, p95: 0 })
})

it("keeps as many seconds as the plots show", () => {
  const seconds = createLatestSeconds()
  for (let at = 0; at < PLOTTED_SECONDS + 5; at += 1) seconds.next()
  const kept = seconds.list().map(({ at }) => at)
  expect([kept.length, kept[0], kept.at(-1)]).toEqual([PLOTTED_SECONDS, 5, PLOTTED_SECONDS + 4])
  expect(seconds.current).toBe(PLOTTED_SECONDS + 5)
})
