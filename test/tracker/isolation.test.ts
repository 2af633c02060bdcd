import { expect, test } from "vitest"
import { createTracker } from "../../src/tracker/tracker.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

/** The time for clocks, a transfer request and its response, in virtual ms. */
const TRANSFER = 100
/** In this time, all nodes send heartbeats. */
const HEARTBEATS = 3_000 + TRANSFER

/** Starts two nodes with one presence each, which know each other. */
async function pair(options: { hideOthersAfterMs?: number; downPeriodMs?: number } = {}) {
  const cluster = new SeededCluster(options)
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "bob", {})
  await cluster.run(TRANSFER)
  a.diffs.length = b.diffs.length = 0
  return { cluster, a, b }
}

/** Makes a node's engine silent, as a suspended server is: nothing arrives, and pings are not answered. */
function mute(cluster: SeededCluster, ...nodes: readonly TestNode[]): { end(): void } {
  const { now } = nodes[0]!.node.timers
  const since = now()
  let isMute = true
  cluster.network.split(...nodes.map(({ node }) => [node.name]))
  for (const { node } of nodes) {
    const unanswered = { configurable: true, get: () => (isMute ? now() - since : 0) }
    Object.defineProperty(node.pubsub, "unansweredMs", unanswered)
  }
  return {
    end() {
      isMute = false
      cluster.network.heal()
    },
  }
}

test("by default a node that has lost its bus shows the others as they were, for however long", async () => {
  const { cluster, a, b } = await pair()
  a.node.disconnect()
  await cluster.run(3_600_000)
  expect([a.keys(), a.diffs]).toEqual([["ada", "bob"], []])
  expect(b.keys()).toEqual(["bob"])
})

test("with hideOthersAfterMs the others are hidden after that time, in one diff, and shown once when they are heard again", async () => {
  const { cluster, a, b } = await pair({ hideOthersAfterMs: 30_000 })
  b.tracker.track("2", "room", "bea", {})
  await cluster.run(TRANSFER)
  a.diffs.length = 0
  a.node.disconnect()
  await cluster.run(29_900)
  expect(a.diffs).toEqual([])
  await cluster.run(200)
  expect([a.keys(), a.diffs]).toEqual([["ada"], [["-bob", "-bea"]]])
  b.tracker.untrack("2")
  a.node.reconnect()
  await cluster.run(HEARTBEATS)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
  expect(
    a.diffs
      .slice(1)
      .flat()
      .filter((change) => change.endsWith("bob")),
  ).toEqual(["+bob"])
})

test("a node that died during the isolation stays hidden", async () => {
  const { cluster, a, b } = await pair({ hideOthersAfterMs: 1_000 })
  a.node.disconnect()
  await cluster.run(2_000)
  b.node.crash()
  a.node.reconnect()
  await cluster.run(30_000)
  expect([a.keys(), a.diffs]).toEqual([["ada"], [["-bob"]]])
})

test("an isolation that is shorter than hideOthersAfterMs hides nobody, and the next one counts anew", async () => {
  const { cluster, a } = await pair({ hideOthersAfterMs: 30_000 })
  for (let i = 0; i < 3; i += 1) {
    a.node.disconnect()
    await cluster.run(20_000)
    a.node.reconnect()
    await cluster.run(HEARTBEATS)
  }
  expect(a.diffs.flat().filter((change) => change.endsWith("bob"))).toEqual([])
})

test("the time in which the engine did not answer belongs to the isolation", async () => {
  const { cluster, a, b } = await pair({ hideOthersAfterMs: 30_000 })
  mute(cluster, a, b)
  await cluster.run(4_000)
  a.node.disconnect()
  await cluster.run(25_900)
  expect(a.diffs).toEqual([])
  await cluster.run(200)
  expect(a.diffs).toEqual([["-bob"]])
})

test.each([0, -1, Number.NaN, "1s" as unknown as number])("hideOthersAfterMs %s is refused", (hideOthersAfterMs) => {
  expect(() => createTracker({ hideOthersAfterMs })).toThrow(
    /expected hideOthersAfterMs to be a number of milliseconds above 0/,
  )
})

test("nobody leaves while the engine does not answer, for as long as the down period (D11)", async () => {
  const { cluster, a, b } = await pair()
  // The messages of the hang are lost here, which is worse than what a suspended server does.
  for (let hang = 250; hang <= 9_000; hang += 250) {
    const muted = mute(cluster, a, b)
    await cluster.run(hang)
    muted.end()
    await cluster.run(HEARTBEATS)
  }
  expect([a.diffs, b.diffs]).toEqual([[], []])
})

test("nobody leaves when an engine that had not answered for 4 s is given up, and is back later (D11)", async () => {
  const { cluster, a, b } = await pair({ downPeriodMs: 5_000 })
  const muted = mute(cluster, a, b)
  await cluster.run(4_000)
  for (const { node } of [a, b]) node.disconnect()
  await cluster.run(20_000)
  muted.end()
  for (const { node } of [a, b]) node.reconnect()
  await cluster.run(HEARTBEATS)
  expect([a.diffs, b.diffs]).toEqual([[], []])
})

test("a node that dies while the engine does not answer still leaves, a down period after the engine is back", async () => {
  const { cluster, a, b } = await pair()
  const muted = mute(cluster, a, b)
  await cluster.run(2_500)
  b.node.crash()
  muted.end()
  await cluster.run(15_000)
  expect(a.keys()).toEqual(["ada"])
})
