import { expect, test } from "vitest"
import { drain } from "../../../src/server/lifecycle/drain.ts"
import { limitsOf } from "../../../src/server/limits.ts"
import type { Limits } from "../../../src/server/limits.ts"
import { clock } from "../../support/clock.ts"

/** A drain of `count` items, which leave the set when they end if `leaves` is true, and a record of when each was ended. */
function startDrain(count: number, options: Partial<Limits> = {}, leaves = true) {
  const timers = clock()
  const items = new Set(Array.from({ length: count }, (_, index) => index))
  const ended: [ms: number, item: number][] = []
  const end = (item: number): void => {
    ended.push([timers.now(), item])
    if (leaves) items.delete(item)
  }
  let isDone = false
  const done = drain(items, end, { limits: limitsOf(options), timers }).then(() => {
    isDone = true
  })
  /** Returns whether the drain has resolved, after all promises that are settled have been handled. */
  const hasResolved = async (): Promise<boolean> => {
    await new Promise((resolve) => setImmediate(resolve))
    return isDone
  }
  return { timers, items, ended, done, hasResolved }
}

test("items that fit into one batch are ended at once, and no timer is set", async () => {
  const { ended, done, timers } = startDrain(3, { drainBatch: 3 })
  expect(ended).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
  ])
  expect(timers.pending).toBe(0)
  await done
})

test("more items are ended batch by batch, an interval apart, in the order of the set", async () => {
  const { ended, done, timers } = startDrain(5, { drainBatch: 2, drainIntervalMs: 100 })
  timers.advance(1_000)
  await done
  expect(ended).toEqual([
    [0, 0],
    [0, 1],
    [100, 2],
    [100, 3],
    [200, 4],
  ])
})

test("an item that leaves by itself takes no place in a batch", async () => {
  const { ended, done, items, timers } = startDrain(5, { drainBatch: 2, drainIntervalMs: 100 })
  items.delete(2)
  items.delete(3)
  timers.advance(100)
  await done
  expect(ended).toEqual([
    [0, 0],
    [0, 1],
    [100, 4],
  ])
})

test("after drainTimeoutMs all items that are left are ended at once", async () => {
  const { ended, done, timers } = startDrain(100, { drainBatch: 1, drainIntervalMs: 100, drainTimeoutMs: 250 })
  timers.advance(250)
  await done
  expect(ended).toHaveLength(100)
  expect(ended.filter(([ms]) => ms < 250)).toHaveLength(3)
  expect(ended.filter(([ms]) => ms === 250)).toHaveLength(97)
})

test("an item that stays although it was ended is waited for until drainTimeoutMs, and no longer", async () => {
  const limits = { drainBatch: 1, drainIntervalMs: 100, drainTimeoutMs: 250 }
  const { items, timers, hasResolved } = startDrain(1, limits, false)
  timers.advance(249)
  expect(await hasResolved()).toBe(false)
  timers.advance(1)
  expect(await hasResolved()).toBe(true)
  expect([items.size, timers.pending]).toEqual([1, 0])
})

test("with the default limits, 250 connections are closed at once, and 18 000 within 7.1 s", async () => {
  const small = startDrain(250)
  expect(await small.hasResolved()).toBe(true)
  expect(small.ended.every(([ms]) => ms === 0)).toBe(true)
  const full = startDrain(18_000)
  full.timers.advance(7_000)
  expect(await full.hasResolved()).toBe(false)
  full.timers.advance(100)
  expect(await full.hasResolved()).toBe(true)
  expect(full.ended).toHaveLength(18_000)
})
