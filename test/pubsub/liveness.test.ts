import { expect, test } from "vitest"
import { Liveness } from "../../src/pubsub/liveness.ts"
import { pingTimingOf } from "../../src/pubsub/ping-timing.ts"
import { clock } from "../support/clock.ts"

/** A liveness on a virtual clock, whose pings are answered when the test says so. */
function scripted() {
  const timers = clock()
  const open: (() => void)[] = []
  const lostAt: number[] = []
  let pings = 0
  const liveness = new Liveness({
    ...pingTimingOf({}),
    timers,
    ping() {
      pings += 1
      return new Promise<void>((resolve) => open.push(resolve))
    },
    onLost: () => void lostAt.push(timers.now()),
  })
  const answer = async (): Promise<void> => {
    for (const resolve of open.splice(0)) resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { timers, liveness, lostAt, answer, pings: () => pings }
}

test("a server that stops right after an answer counts as lost 4 s later, with the default times", async () => {
  const { timers, lostAt, answer } = scripted()
  timers.advance(1_000)
  await answer()
  timers.advance(3_999)
  expect(lostAt).toEqual([])
  timers.advance(1)
  expect(lostAt).toEqual([5_000])
  timers.advance(60_000)
  expect(lostAt).toEqual([5_000])
})

test("a server that answers is pinged each second, for ever", async () => {
  const { timers, lostAt, answer, pings } = scripted()
  for (let second = 1; second <= 100; second += 1) {
    timers.advance(1_000)
    await answer()
  }
  expect([pings(), lostAt]).toEqual([100, []])
})

test("anything that is received counts as an answer", async () => {
  const { timers, liveness, lostAt } = scripted()
  for (let second = 1; second <= 10; second += 1) {
    timers.advance(1_000)
    liveness.received()
  }
  expect(lostAt).toEqual([])
})

test("the time in which this process could not run does not count, since the answer may be waiting to be read", async () => {
  const timers = clock()
  let now = 0
  const lost: number[] = []
  // The process is suspended for a minute: its clock goes on, and its timers are late.
  const late = { ...timers, now: () => timers.now() + now }
  const liveness = new Liveness({
    ...pingTimingOf({}),
    timers: late,
    ping: () => new Promise(() => {}),
    onLost: () => lost.push(late.now()),
  })
  timers.advance(1_500)
  now += 60_000
  timers.advance(2_400)
  expect(lost).toEqual([])
  timers.advance(600)
  expect(lost).toHaveLength(1)
  liveness.stop()
})

test("the silence is measured from the last answer, and is 0 while no ping is unanswered", async () => {
  const { timers, liveness, answer } = scripted()
  timers.advance(1_000)
  await answer()
  timers.advance(999)
  expect(liveness.unansweredMs).toBe(0)
  timers.advance(2_001)
  expect(liveness.unansweredMs).toBe(3_000)
  await answer()
  expect(liveness.unansweredMs).toBe(0)
})

test("nothing happens after a stop", () => {
  const { timers, liveness, lostAt } = scripted()
  timers.advance(1_000)
  liveness.stop()
  timers.advance(60_000)
  expect([lostAt, timers.pending]).toEqual([[], 0])
})
