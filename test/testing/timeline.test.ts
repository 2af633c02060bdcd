import { expect, test } from "vitest"
import { Timeline } from "../../src/testing/timeline.ts"

test("a timer that sets itself again without a delay ends the run with an error instead of running for ever", () => {
  const timeline = new Timeline()
  const again = (): void => void timeline.add(again, timeline.now)
  again()
  const run = (): void => {
    while (timeline.step(10)) continue
  }
  expect(run).toThrow("expected at most 1000000 events at 0 ms of virtual time, got more")
})

test("many events in a row cause no error as long as virtual time advances", () => {
  const timeline = new Timeline()
  let count = 0
  const next = (): void => {
    count += 1
    if (count < 2000) timeline.add(next, timeline.now + (count % 2))
  }
  next()
  while (timeline.step(Infinity)) continue
  expect([count, timeline.now]).toEqual([2000, 1000])
})
