import { expect, it } from "vitest"
import { DiffBatcher } from "../../../src/server/presence/diff-batcher.ts"
import type { Timers } from "../../../src/timers.ts"
import type { Row, TopicDiff } from "../../../src/tracker/tracker.ts"
import { clock } from "../../support/clock.ts"

/** A batcher with windows of one turn, in an event loop that the test turns, where sending a diff takes `costMs`. */
function batcherWith(costMs: number) {
  let now = 0
  let soon: (() => void)[] = []
  const timers: Timers = {
    now: () => now,
    set: () => undefined,
    clear: () => undefined,
    soon: (run) => void soon.push(run),
  }
  const sent: string[] = []
  const send = (topic: string, { joins }: TopicDiff): void => {
    if (topic === "broken") throw new Error("on purpose")
    now += costMs
    sent.push(`${topic}: ${joins.map(({ key }) => key).join(" ")}`)
  }
  const batcher = new DiffBatcher({ timers, windowMs: 0, send })
  const join = (topic: string, key: string): void => batcher.add(topic, joinOf(topic, key))
  /** Runs the next turn, and returns the diffs that were sent in it. */
  const turn = (): string[] => {
    const runs = soon
    soon = []
    for (const run of runs) run()
    return sent.splice(0)
  }
  return { batcher, join, turn }
}

function joinOf(topic: string, key: string): TopicDiff {
  const row: Row = { topic, key, pid: "1@a", meta: { phx_ref: `${topic} ${key}` } }
  return { joins: [row], leaves: [] }
}

it("sends the changes of a turn at its end, as one diff for each topic", () => {
  const { join, turn } = batcherWith(0)
  for (const key of ["ada", "bob"]) for (const topic of ["a", "b", "c"]) join(topic, key)
  expect(turn()).toEqual(["a: ada bob", "b: ada bob", "c: ada bob"])
  expect(turn()).toEqual([])
})

it("sends at least one diff in a turn and as many as there is time for; the others collect on, and are sent in order", () => {
  const { join, turn } = batcherWith(0.6)
  for (const topic of ["a", "b", "c", "d", "e"]) join(topic, "ada")
  expect(turn()).toEqual(["a: ada", "b: ada"])
  join("a", "bob")
  join("c", "bob")
  expect(turn()).toEqual(["c: ada bob", "d: ada"])
  expect(turn()).toEqual(["e: ada", "a: bob"])
  expect(turn()).toEqual([])
})

it("releases a channel that waits for its topic's state when the diff of that topic has been sent", () => {
  const { batcher, join, turn } = batcherWith(2)
  const released: string[] = []
  join("a", "ada")
  join("b", "bob")
  expect(batcher.hold("b", { release: () => released.push("b") })).toBe(true)
  expect(turn()).toEqual(["a: ada"])
  expect(released).toEqual([])
  expect(turn()).toEqual(["b: bob"])
  expect(released).toEqual(["b"])
})

it("sends the diffs of all other topics when sending one throws, and releases the channels that wait for it", () => {
  const { batcher, join, turn } = batcherWith(0)
  const released: string[] = []
  for (const topic of ["broken", "a"]) join(topic, "ada")
  batcher.hold("broken", { release: () => released.push("broken") })
  expect(turn).toThrow("on purpose")
  expect(released).toEqual(["broken"])
  expect(turn()).toEqual(["a: ada"])
  join("b", "bob")
  expect(turn()).toEqual(["b: bob"])
})

it("sends the changes of a longer window at once, and only once, when it is flushed, and leaves no timer", () => {
  const timers = clock()
  const topics: string[] = []
  const batcher = new DiffBatcher({ timers, windowMs: 60_000, send: (topic) => void topics.push(topic) })
  for (const topic of ["a", "b"]) batcher.add(topic, joinOf(topic, "ada"))
  batcher.flush()
  expect(topics).toEqual(["a", "b"])
  expect(timers.pending).toBe(0)
  expect(batcher.hold("a", { release: () => undefined })).toBe(false)
})
