/** What a node has seen of each other node: `tracker.seen`. */
import { expect, test } from "vitest"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"
import { createTracker } from "../../src/tracker/index.ts"
import type { Tracker } from "../../src/tracker/index.ts"

const textOf = (tracker: Tracker): string[] =>
  tracker.seen!().map(({ node, status, seen, rows }) => {
    return `${node} ${status} ${seen.join()} ${rows.map(({ key, clock }) => `${key}:${clock}`).join()}`
  })

test("it shows the context, a cloud beyond a gap, and the rows with the numbers of their changes", async () => {
  let isLost = false
  const network = new SeededNetwork({ seed: 1, onMessage: (message) => isLost && message.lose() })
  const [a, b] = ["a", "b"].map((name) => {
    const { pubsub, timers } = network.node(name)
    return createTracker({ pubsub, timers, random: network.random })
  }) as [Tracker, Tracker]
  await network.run(1000)
  isLost = true
  a.track("1", "t", "ada", {})
  await network.run(60)
  isLost = false
  a.track("2", "t", "ben", {})
  await network.run(55)
  expect(textOf(b)).toEqual(["b up  ", "a up 2,2 ben:2"])
  await network.run(3000)
  expect(textOf(b)).toEqual(["b up  ", "a up 1,2 ada:1,ben:2"])
  expect(textOf(a)).toEqual(["a up 1,2 ada:1,ben:2", "b up  "])
  network.split(["a"], ["b"])
  await network.run(12_000)
  expect(textOf(b)).toEqual(["b up  ", "a down 1,2 ada:1,ben:2"])
  expect(b.list("t")).toEqual([])
})

test("with several shards it shows each, and without a bus only the node itself", () => {
  const tracker = createTracker({ poolSize: 2 })
  tracker.track("1", "t", "ada", {})
  expect(tracker.seen!().map(({ node }) => node)).toEqual(["local", "local"])
  expect(textOf(tracker).filter((line) => line.includes("ada:1"))).toHaveLength(1)
})
