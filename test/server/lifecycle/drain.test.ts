import { expect, test } from "vitest"
import { drain } from "../../../src/server/lifecycle/drain.ts"
import { limitsOf } from "../../../src/server/limits.ts"
import type { Limits } from "../../../src/server/limits.ts"
import { clock } from "../../support/clock.ts"

/** A drain of so many, who go when they are told; and what was told when. */
function draining(count: number, options: Partial<Limits> = {}) {
  const timers = clock()
  const everyone = new Set(Array.from({ length: count }, (_, index) => index))
  const told: [ms: number, who: number][] = []
  const tell = (who: number): void => {
    told.push([timers.now(), who])
    everyone.delete(who)
  }
  const done = drain(everyone, tell, { limits: limitsOf(options), timers })
  return { timers, everyone, told, done }
}

test("those who fit into one batch are told at once, and nothing is waited for", async () => {
  const { told, done, timers } = draining(3, { drainBatch: 3 })
  await done
  expect(told.map(([, who]) => who)).toEqual([0, 1, 2])
  expect(timers.pending).toBe(0)
})

test("more go batch by batch, an interval apart, in the order in which they came", async () => {
  const { told, done, timers } = draining(5, { drainBatch: 2, drainIntervalMs: 100 })
  timers.advance(1_000)
  await done
  expect(told).toEqual([
    [0, 0],
    [0, 1],
    [100, 2],
    [100, 3],
    [200, 4],
  ])
})

test("who goes by himself takes nobody's place in a batch", async () => {
  const { told, done, everyone, timers } = draining(5, { drainBatch: 2, drainIntervalMs: 100 })
  everyone.delete(2)
  everyone.delete(3)
  timers.advance(100)
  await done
  expect(told).toEqual([
    [0, 0],
    [0, 1],
    [100, 4],
  ])
})

test("after drainTimeoutMs all that are left are told at once", async () => {
  const { told, done, timers } = draining(100, { drainBatch: 1, drainIntervalMs: 100, drainTimeoutMs: 250 })
  timers.advance(250)
  await done
  expect(told).toHaveLength(100)
  expect(told.filter(([ms]) => ms < 250)).toHaveLength(3)
})

test("who is told and stays is not waited for longer than that", async () => {
  const timers = clock()
  const limits = { drainBatch: 1, drainIntervalMs: 100, drainTimeoutMs: 250 }
  const done = drain(new Set(["deaf"]), () => undefined, { limits, timers })
  timers.advance(250)
  await done
})

test("by default a few hundred go at once, and the 18 000 of a full process within some seconds", async () => {
  const small = draining(250)
  await small.done
  const full = draining(18_000)
  full.timers.advance(7_100)
  await full.done
})
