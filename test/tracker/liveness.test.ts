import { expect, test } from "vitest"
import { encodeMessage } from "../../src/tracker/tracker-messages.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

const MINUTE = 60_000
/** The time for clocks, a transfer request and its response, in virtual ms. */
const TRANSFER = 100

/** Starts two nodes with one presence each, which know each other. */
async function pair(cluster: SeededCluster = new SeededCluster()): Promise<[TestNode, TestNode]> {
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "bob", {})
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
  a.diffs.length = 0
  b.diffs.length = 0
  return [a, b]
}

test("a silent node is down after the down period, and its presences leave in one diff (T31, T32)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  b.tracker.track("2", "room", "bea", {})
  await cluster.run(TRANSFER)
  b.node.crash()
  await cluster.run(5900)
  expect(a.keys()).toEqual(["ada", "bea", "bob"])
  await cluster.run(4100)
  expect(a.keys()).toEqual(["ada"])
  expect(a.diffs).toEqual([["+bea"], ["-bob", "-bea"]])
})

test("by default, the presences of a killed node leave within ten seconds, whenever it is killed", async () => {
  for (const age of [0, 700, 1499, 1500, 2999]) {
    const cluster = new SeededCluster()
    const [a, b] = await pair(cluster)
    await cluster.run(3000 + age)
    b.node.crash()
    await cluster.run(10_000)
    expect(a.keys()).toEqual(["ada"])
  }
})

test("a node that returns under its ref brings back its presences once, with the changes made meanwhile (T30)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  cluster.network.split(["a"], ["b"])
  await cluster.run(15_000)
  expect([a.keys(), b.keys()]).toEqual([["ada"], ["bob"]])
  b.tracker.track("2", "room", "bea", {})
  await cluster.run(1000)
  cluster.network.heal()
  await cluster.run(2 * 1500 + TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bea", "bob"],
    ["ada", "bea", "bob"],
  ])
  expect(a.diffs.flat()).toEqual(["-bob", "+bob", "+bea"])
  expect(b.diffs.flat()).toEqual(["-ada", "+bea", "+ada"])
})

test("a node that is permanently down is forgotten, without a second leave (T31, T32)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(21 * MINUTE)
  expect(a.diffs).toEqual([["-bob"]])
  const last = a.sent.at(-1)?.message
  expect(last).toMatchObject({ type: "heartbeat" })
  expect(last?.type === "heartbeat" && last.clocks.size).toBe(1)
})

test("a forgotten node that returns restarts under a new ref, and its presences join again (D9)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  const refs = [a, b].map(({ sent }) => sent.at(-1)?.message.ref)
  cluster.network.split(["a"], ["b"])
  await cluster.run(21 * MINUTE)
  cluster.network.heal()
  await cluster.run(2 * 1500 + TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
  expect([a, b].map(({ sent }) => sent.at(-1)?.message.ref)).not.toEqual(refs)
  expect(a.diffs.flat()).toEqual(["-bob", "+bob"])
  expect(a.tracker.list("room").map((row) => row.meta.phx_ref)).toHaveLength(2)
  expect([...a.errors, ...b.errors]).toEqual([])
})

test.for([
  ["up", 200],
  ["down", 12_000],
] as const)("a restart of a node that was %s replaces its old rows, which leave once (T30, D10)", async ([, away]) => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(away)
  const again = cluster.start("b")
  again.tracker.track("1", "room", "bob", { again: true })
  await cluster.run(TRANSFER)
  expect(a.tracker.getByKey("room", "bob").map((row) => row.meta["again"])).toEqual([true])
  expect(new Set(a.diffs.flat())).toEqual(new Set(["+bob", "-bob"]))
  expect(a.diffs.flat()).toHaveLength(2)
  await cluster.run(30_000)
  expect(a.diffs.flat()).toHaveLength(2)
})

test("the presences of a node leave at once when it sends a goodbye (T33)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  await b.tracker.close()
  await cluster.run(20)
  expect(a.keys()).toEqual(["ada"])
  expect(a.diffs).toEqual([["-bob"]])
})

test("after its goodbye a node still receives messages until it is closed, and sends none", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  b.tracker.goodbye()
  await cluster.run(10)
  expect(a.diffs.flat()).toEqual(["-bob"])
  expect(b.keys()).toEqual(["ada", "bob"])
  const sentBefore = b.sent.length
  a.tracker.track("2", "room", "eve", {})
  b.tracker.track("2", "room", "dan", {})
  b.tracker.untrack("1")
  // For longer than the down period, and with a lost connection to the engine in between.
  await cluster.run(10_000)
  b.node.disconnect()
  await cluster.run(100)
  b.node.reconnect()
  await cluster.run(25_000)
  expect(b.keys()).toEqual(["ada", "dan", "eve"])
  expect(a.keys()).toEqual(["ada", "eve"])
  await b.tracker.close()
  expect(b.sent).toHaveLength(sentBefore)
  expect(a.counts.get("tracker_refused_departed")).toBeUndefined()
})

test("the presences of a node that closes without a goodbye leave after the down period (T33)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  await b.tracker.close({ goodbye: false })
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada", "bob"])
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada"])
})

test("a late goodbye of a previous ref does not remove the presences of the current one (T33)", async () => {
  const cluster = new SeededCluster({}, { delayMs: [50, 50] })
  const [a, b] = await pair(cluster)
  await cluster.run(500)
  await b.tracker.close({ goodbye: false })
  b.node.crash()
  const again = cluster.start("b")
  again.tracker.track("1", "room", "bob", {})
  await cluster.run(500)
  const stale = b.sent[0]?.message.ref as string
  again.node.pubsub.publish("tracker:presence:0", encodeMessage({ type: "goodbye", ref: stale, shards: 1 }))
  await cluster.run(500)
  expect(a.keys()).toEqual(["ada", "bob"])
})

test("late messages of a stale ref are ignored and counted (D9)", async () => {
  const cluster = new SeededCluster({}, { delayMs: [50, 50] })
  const [a, b] = await pair(cluster)
  await b.tracker.close()
  // The goodbye arrives before all other messages, as if it had overtaken them.
  for (const { message } of b.sent) b.node.pubsub.publish("tracker:presence:0", encodeMessage(message))
  await cluster.run(500)
  expect(a.keys()).toEqual(["ada"])
  expect(a.diffs.flat()).toEqual(["-bob"])
  expect(a.counts.get("tracker_refused_departed")).toBeGreaterThan(0)
})

test("a node whose crash the bus reports is down at once", async () => {
  const cluster = new SeededCluster({}, { seesNodesDie: true })
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(10)
  expect(a.keys()).toEqual(["ada"])
  expect(a.diffs).toEqual([["-bob"]])
  // Not only after a timeout: a node that crashes without a report stays up for the down period.
  const silent = new SeededCluster()
  const [c, d] = await pair(silent)
  d.node.crash()
  await silent.run(10)
  expect(c.diffs).toEqual([])
})

test("a node that the bus reports by mistake is up again after its next heartbeat", async () => {
  const cluster = new SeededCluster({}, { seesNodesDie: true })
  const [a, b] = await pair(cluster)
  a.node.nodeDown("b")
  expect(a.keys()).toEqual(["ada"])
  await cluster.run(3000 + TRANSFER)
  expect(a.keys()).toEqual(["ada", "bob"])
  expect(a.diffs).toEqual([["-bob"], ["+bob"]])
  expect(b.diffs).toEqual([])
})

test("a process that was stopped does not count that time as the silence of others (D11)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  a.node.pause()
  // The engine has dropped a's connection, so no messages of b wait for a.
  a.node.disconnect()
  await cluster.run(25_000)
  a.node.reconnect()
  a.node.resume()
  await cluster.run(2 * 1500 + TRANSFER)
  expect(a.diffs).toEqual([])
  expect(a.keys()).toEqual(["ada", "bob"])
  expect(b.keys()).toEqual(["ada", "bob"])
  expect(b.diffs.flat()).toEqual(["-ada", "+ada"])
})

test("a process that was stopped receives the waiting messages before it checks timeouts (D11)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  a.node.pause()
  await cluster.run(40_000)
  a.node.resume()
  await cluster.run(2 * 1500 + TRANSFER)
  expect(a.diffs).toEqual([])
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
})

test("the time without a connection to the engine is not counted as silence, and clocks are exchanged after it (D12)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  for (const { node } of [a, b]) node.disconnect()
  await cluster.run(60_000)
  a.tracker.track("2", "room", "eve", {})
  b.tracker.untrack("1")
  b.diffs.length = 0
  for (const { node } of [a, b]) node.reconnect()
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "eve"],
    ["ada", "eve"],
  ])
  expect(a.diffs.flat()).toEqual(["+eve", "-bob"])
  expect(b.diffs.flat()).toEqual(["+eve"])
})

test("a node that reconnects later than the others gets their clocks at once, before their next heartbeats (D12)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  for (const { node } of [a, b]) node.disconnect()
  await cluster.run(5_000)
  a.tracker.track("2", "room", "eve", {})
  a.node.reconnect()
  // After the first heartbeats of a, and before the next one: a has no changes and skips a period.
  await cluster.run(2_000)
  b.node.reconnect()
  await cluster.run(TRANSFER)
  expect(b.keys()).toEqual(["ada", "bob", "eve"])
})

test("a jump of the wall clock changes nothing (D5)", async () => {
  const wall = Date.now
  const cluster = new SeededCluster()
  const [a, b] = await pair(cluster)
  try {
    Date.now = () => wall() + 24 * 60 * MINUTE
    await cluster.run(10_000)
    Date.now = () => 0
    await cluster.run(10_000)
  } finally {
    Date.now = wall
  }
  expect([...a.diffs, ...b.diffs]).toEqual([])
  expect(a.keys()).toEqual(["ada", "bob"])
})

test("two living nodes with the same name are reported, and do not restart each other for ever (D6, D10)", async () => {
  const cluster = new SeededCluster()
  const watcher = cluster.start("c")
  const sameName = [cluster.start("a"), cluster.start("a")]
  for (const [i, node] of sameName.entries()) node.tracker.track("1", "room", `key${i}`, {})
  await cluster.run(60_000)
  expect(watcher.codes()).toContain("name_conflict")
  expect(sameName.flatMap((node) => node.codes())).toContain("name_conflict")
  const before = watcher.diffs.length
  const errors = watcher.errors.length
  await cluster.run(5 * MINUTE)
  expect(watcher.diffs.length).toBe(before)
  expect(watcher.errors.length).toBe(errors)
  expect(watcher.keys()).toHaveLength(1)

  // When the node that is shown closes, the other one is shown.
  const [shown] = watcher.keys()
  const winner = sameName.find((_, i) => shown === `key${i}`)
  const loser = sameName.find((node) => node !== winner)
  await winner?.tracker.close()
  await cluster.run(5000)
  expect(watcher.keys()).toEqual([loser === sameName[0] ? "key0" : "key1"])
})
