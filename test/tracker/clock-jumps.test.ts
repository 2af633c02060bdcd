import { expect, test } from "vitest"
import type { Timers } from "../../src/timers.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

/** The time for clocks, a transfer request and its response, in virtual ms. */
const TRANSFER = 100
const HOUR = 3_600_000

/** A node whose clock can be set. */
interface Clocked {
  readonly node: TestNode
  jump(ms: number): void
}

function start(cluster: SeededCluster, name: string): Clocked {
  let offset = 0
  // The options of a node are fixed before the node exists, so its timers are looked up when they are used.
  let own: Timers | undefined
  const timers: Timers = {
    now: () => (own?.now() ?? 0) + offset,
    set: (run, ms) => own!.set(run, ms),
    clear: (timer) => own?.clear(timer),
    soon: (run) => own!.soon(run),
  }
  const node = cluster.start(name, { timers }, undefined, (seeded) => (own = seeded.timers))
  return { node, jump: (ms) => (offset += ms) }
}

async function pair(): Promise<[SeededCluster, Clocked, Clocked]> {
  const cluster = new SeededCluster()
  const [a, b] = [start(cluster, "a"), start(cluster, "b")]
  await cluster.run(TRANSFER)
  a.node.tracker.track("1", "room", "ada", {})
  b.node.tracker.track("1", "room", "bob", {})
  await cluster.run(5000)
  a.node.diffs.length = 0
  b.node.diffs.length = 0
  return [cluster, a, b]
}

test.for([1, 1_400, 9_000, 60_000, HOUR, 24 * HOUR])(
  "a clock that is set back by %i ms does not stop a node: it sends, receives, and nobody leaves",
  async (ms) => {
    const [cluster, a, b] = await pair()
    a.jump(-ms)
    await cluster.run(30_000)
    a.node.tracker.track("2", "room", "eve", {})
    b.node.tracker.untrack("1")
    await cluster.run(TRANSFER)
    expect([a.node.keys(), b.node.keys()]).toEqual([
      ["ada", "eve"],
      ["ada", "eve"],
    ])
    // Nobody left: a's heartbeats did not stop, and a did not take b for silent.
    expect(b.node.diffs.flat().sort()).toEqual(["+eve", "-bob"])
    expect(a.node.diffs.flat().sort()).toEqual(["+eve", "-bob"])
  },
)

test("a node whose clock was set back notices that another one is silent, at most a period later", async () => {
  const [cluster, a, b] = await pair()
  a.jump(-HOUR)
  b.node.node.crash()
  await cluster.run(9_000 + 2 * 1500)
  expect(a.node.keys()).toEqual(["ada"])
  expect(a.node.tracker.nodes()).toMatchObject([{ node: "b", status: "down" }])
  expect(a.node.tracker.nodes()[0]?.silentMs).toBeGreaterThan(0)
})

test("a clock that is set back again and again does not stop a node", async () => {
  const [cluster, a, b] = await pair()
  for (let i = 0; i < 200; i += 1) {
    a.jump(-700)
    await cluster.run(400)
  }
  expect([a.node.keys(), b.node.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
  expect([...a.node.diffs, ...b.node.diffs]).toEqual([])
})

test("a request that waits when the clock is set back is sent, and a delta, too", async () => {
  const [cluster, a, b] = await pair()
  for (let i = 0; i < 20; i += 1) {
    a.node.tracker.track(`x${i}`, "room", `eve${i}`, {})
    a.jump(-HOUR)
    b.node.tracker.track(`y${i}`, "room", `gil${i}`, {})
    await cluster.run(10)
  }
  await cluster.run(TRANSFER)
  expect(a.node.keys()).toHaveLength(42)
  expect(b.node.keys()).toEqual(a.node.keys())
})

test("a clock that jumps ahead counts as a pause of this node, not as the silence of others (D11)", async () => {
  const [cluster, a, b] = await pair()
  for (let i = 0; i < 5; i += 1) {
    a.jump(HOUR)
    await cluster.run(4_000)
  }
  expect([...a.node.diffs, ...b.node.diffs]).toEqual([])
  b.node.node.crash()
  await cluster.run(13_000)
  expect(a.node.keys()).toEqual(["ada"])
})
