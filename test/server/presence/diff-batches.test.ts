import { expect, it } from "vitest"
import { DiffBatcher } from "../../../src/server/presence/diff-batches.ts"
import type { Timers } from "../../../src/timers.ts"
import type { Row, TopicDiff } from "../../../src/tracker/tracker.ts"
import { clock } from "../../support/clock.ts"

/** DiffBatcher of one turn each, in an event loop that a test turns, where it takes `costMs` to tell of one. */
function told(costMs: number) {
  let now = 0
  let soon: (() => void)[] = []
  const timers: Timers = {
    now: () => now,
    set: () => undefined,
    clear: () => undefined,
    soon: (run) => void soon.push(run),
  }
  const diffs: string[] = []
  const send = (topic: string, { joins }: TopicDiff): void => {
    if (topic === "broken") throw new Error("told to nobody")
    now += costMs
    diffs.push(`${topic}: ${joins.map(({ key }) => key).join(" ")}`)
  }
  const windows = new DiffBatcher({ timers, windowMs: 0, send })
  const joins = (topic: string, key: string): void => {
    const row: Row = { topic, key, pid: "1@a", meta: { phx_ref: `${topic} ${key}` } }
    windows.add(topic, { joins: [row], leaves: [] })
  }
  /** Goes on to the next turn, and tells of what diffs it was the turn. */
  const turn = (): string[] => {
    const runs = soon
    soon = []
    for (const run of runs) run()
    return diffs.splice(0)
  }
  return { windows, joins, turn }
}

it("what changes in a turn is told at its end, a diff for each topic", () => {
  const { joins, turn } = told(0)
  for (const key of ["ada", "bob"]) for (const topic of ["a", "b", "c"]) joins(topic, key)
  expect(turn()).toEqual(["a: ada bob", "b: ada bob", "c: ada bob"])
  expect(turn()).toEqual([])
})

it("a turn has time for so many diffs, and for one at least; what waits gathers on, and is told in order", () => {
  const { joins, turn } = told(0.6)
  for (const topic of ["a", "b", "c", "d", "e"]) joins(topic, "ada")
  expect(turn()).toEqual(["a: ada", "b: ada"])
  joins("a", "bob")
  joins("c", "bob")
  expect(turn()).toEqual(["c: ada bob", "d: ada"])
  expect(turn()).toEqual(["e: ada", "a: bob"])
  expect(turn()).toEqual([])
})

it("who is to get a topic's state is held until the topic has had its turn", () => {
  const { windows, joins, turn } = told(2)
  const released: string[] = []
  joins("a", "ada")
  joins("b", "bob")
  expect(windows.hold("b", { release: () => released.push("b") })).toBe(true)
  expect(turn()).toEqual(["a: ada"])
  expect(released).toEqual([])
  expect(turn()).toEqual(["b: bob"])
  expect(released).toEqual(["b"])
})

it("what fails in the telling of one topic keeps none of the others from being told", () => {
  const { joins, turn } = told(0)
  for (const topic of ["broken", "a"]) joins(topic, "ada")
  expect(turn).toThrow("told to nobody")
  expect(turn()).toEqual(["a: ada"])
  joins("b", "bob")
  expect(turn()).toEqual(["b: bob"])
})

it("a longer window ends early when it is flushed: it is told at once, once, and leaves no timer", () => {
  const timers = clock()
  const diffs: string[] = []
  const windows = new DiffBatcher({ timers, windowMs: 60_000, send: (topic) => void diffs.push(topic) })
  for (const topic of ["a", "b"]) {
    windows.add(topic, { joins: [{ topic, key: "ada", pid: "1@a", meta: { phx_ref: topic } }], leaves: [] })
  }
  windows.flush()
  expect(diffs).toEqual(["a", "b"])
  expect(timers.pending).toBe(0)
  expect(windows.hold("a", { release: () => undefined })).toBe(false)
})
