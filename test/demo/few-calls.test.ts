import { expect, test } from "vitest"
import { fewCalls } from "../../demo/cluster/few-calls.ts"

test("an address is written at once, and after 50 times in half a minute only when the browser allows it again, once", () => {
  let now = 0
  let calls = 0
  const timers: { call: () => void; ms: number }[] = []
  const write = fewCalls(
    () => (calls += 1),
    () => now,
    (call, ms) => timers.push({ call, ms }),
  )
  for (let at = 1; at <= 50; at += 1) {
    now = at * 10
    write()
    expect(calls).toBe(at)
  }
  for (let more = 0; more < 100; more += 1) write()
  expect([calls, timers.map(({ ms }) => ms)]).toEqual([50, [30_000 - 490]])
  now += 29_510
  timers[0]?.call()
  expect(calls).toBe(51)
  // Only the first of the 50 is half a minute old.
  write()
  expect([calls, timers[1]?.ms]).toEqual([51, 10])
  now += 30_000
  timers[1]?.call()
  write()
  expect(calls).toBe(53)
})
