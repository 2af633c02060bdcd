import { expect, test } from "vitest"
import { Cluster, type TestNode } from "./cluster.ts"

const MINUTE = 60_000
/** Clocks, gathering, a request and its answer. */
const TRANSFER = 100

async function pair(cluster: Cluster = new Cluster()): Promise<[TestNode, TestNode]> {
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "bob", {})
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
  a.told.length = 0
  b.told.length = 0
  return [a, b]
}

test("a silent node is down after the down period, and its presences leave in one diff (T31, T32)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  b.tracker.track("2", "room", "bea", {})
  await cluster.run(TRANSFER)
  b.node.crash()
  await cluster.run(5900)
  expect(a.keys()).toEqual(["ada", "bea", "bob"])
  await cluster.run(4100)
  expect(a.keys()).toEqual(["ada"])
  expect(a.told).toEqual([["+bea"], ["-bob", "-bea"]])
})

test("presences of a killed node are gone within ten seconds by default, whenever it is killed", async () => {
  for (const age of [0, 700, 1499, 1500, 2999]) {
    const cluster = new Cluster()
    const [a, b] = await pair(cluster)
    await cluster.run(3000 + age)
    b.node.crash()
    await cluster.run(10_000)
    expect(a.keys()).toEqual(["ada"])
  }
})

test("a node that returns under its ref brings its presences back once, with what happened meanwhile (T30)", async () => {
  const cluster = new Cluster()
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
  expect(a.told.flat()).toEqual(["-bob", "+bob", "+bea"])
  expect(b.told.flat()).toEqual(["-ada", "+bea", "+ada"])
})

test("a node gone for the permanent period is forgotten, without a second leave (T31, T32)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(21 * MINUTE)
  expect(a.told).toEqual([["-bob"]])
  const last = a.sent.at(-1)?.message
  expect(last).toMatchObject({ type: "heartbeat" })
  expect(last?.type === "heartbeat" && last.clocks.size).toBe(1)
})

test("a node that was forgotten restarts under a new ref when it speaks again, and is taken back with its rows (D9)", async () => {
  const cluster = new Cluster()
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
  expect(a.told.flat()).toEqual(["-bob", "+bob"])
  expect(a.tracker.list("room").map((row) => row.meta.phx_ref)).toHaveLength(2)
  expect([...a.errors, ...b.errors]).toEqual([])
})

test.for([
  ["up", 200],
  ["down", 12_000],
] as const)("a restart of a node that was %s replaces its old rows, which leave once (T30, D10)", async ([, away]) => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(away)
  const again = cluster.start("b")
  again.tracker.track("1", "room", "bob", { again: true })
  await cluster.run(TRANSFER)
  expect(a.tracker.getByKey("room", "bob").map((row) => row.meta["again"])).toEqual([true])
  expect(new Set(a.told.flat())).toEqual(new Set(["+bob", "-bob"]))
  expect(a.told.flat()).toHaveLength(2)
  await cluster.run(30_000)
  expect(a.told.flat()).toHaveLength(2)
})

test("a node that says goodbye is gone at once (T33)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  await b.tracker.close()
  await cluster.run(20)
  expect(a.keys()).toEqual(["ada"])
  expect(a.told).toEqual([["-bob"]])
})

test("a node that has said goodbye hears the others until it is closed, and none of them hears it any more", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  b.tracker.goodbye()
  await cluster.run(10)
  expect(a.told.flat()).toEqual(["-bob"])
  expect(b.keys()).toEqual(["ada", "bob"])
  const said = b.sent.length
  a.tracker.track("2", "room", "eve", {})
  b.tracker.track("2", "room", "dan", {})
  b.tracker.untrack("1")
  // Longer than anybody's silence is borne, and through an absence of the engine.
  await cluster.run(10_000)
  b.node.disconnect()
  await cluster.run(100)
  b.node.reconnect()
  await cluster.run(25_000)
  expect(b.keys()).toEqual(["ada", "dan", "eve"])
  expect(a.keys()).toEqual(["ada", "eve"])
  await b.tracker.close()
  expect(b.sent).toHaveLength(said)
  expect(a.counts.get("tracker_refused_departed")).toBeUndefined()
})

test("a node that closes without a goodbye is gone after the down period (T33)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  await b.tracker.close({ goodbye: false })
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada", "bob"])
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada"])
})

test("a goodbye of a ref that was replaced does not harm the one in its place (T33)", async () => {
  const cluster = new Cluster({}, { delayMs: [50, 50] })
  const [a, b] = await pair(cluster)
  await cluster.run(500)
  await b.tracker.close({ goodbye: false })
  b.node.crash()
  const again = cluster.start("b")
  again.tracker.track("1", "room", "bob", {})
  await cluster.run(500)
  const { encodeMessage } = await import("../../src/tracker/tracker-messages.ts")
  const stale = b.sent[0]?.message.ref as string
  again.node.pubsub.publish("tracker:presence:0", encodeMessage({ type: "goodbye", ref: stale, shards: 1 }))
  await cluster.run(500)
  expect(a.keys()).toEqual(["ada", "bob"])
})

test("late messages of a departed ref are ignored and counted (D9)", async () => {
  const cluster = new Cluster({}, { delayMs: [50, 50] })
  const [a, b] = await pair(cluster)
  await b.tracker.close()
  // Overtaken by the goodbye, as over a bus that reorders.
  const { encodeMessage } = await import("../../src/tracker/tracker-messages.ts")
  for (const { message } of b.sent) b.node.pubsub.publish("tracker:presence:0", encodeMessage(message))
  await cluster.run(500)
  expect(a.keys()).toEqual(["ada"])
  expect(a.told.flat()).toEqual(["-bob"])
  expect(a.counts.get("tracker_refused_departed")).toBeGreaterThan(0)
})

test("a node whose end the bus sees is down at once, and back if it was no end", async () => {
  const cluster = new Cluster({}, { seesNodesDie: true })
  const [a, b] = await pair(cluster)
  b.node.crash()
  await cluster.run(10)
  expect(a.keys()).toEqual(["ada"])
  expect(a.told).toEqual([["-bob"]])
})

test("a process that was stopped does not take its own absence for others' silence (D11)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  a.node.pause()
  // Nothing of what b said in the meantime waits for a: its connection was dropped at the other end.
  a.node.disconnect()
  await cluster.run(25_000)
  a.node.reconnect()
  a.node.resume()
  await cluster.run(2 * 1500 + TRANSFER)
  expect(a.told).toEqual([])
  expect(a.keys()).toEqual(["ada", "bob"])
  expect(b.keys()).toEqual(["ada", "bob"])
  expect(b.told.flat()).toEqual(["-ada", "+ada"])
})

test("a stopped process whose messages have waited judges nobody before it has read them (D11)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  a.node.pause()
  await cluster.run(40_000)
  a.node.resume()
  await cluster.run(2 * 1500 + TRANSFER)
  expect(a.told).toEqual([])
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bob"],
    ["ada", "bob"],
  ])
})

test("the time that an engine was away is nobody's silence, and clocks are exchanged when it is back (D12)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  for (const { node } of [a, b]) node.disconnect()
  await cluster.run(60_000)
  a.tracker.track("2", "room", "eve", {})
  b.tracker.untrack("1")
  b.told.length = 0
  for (const { node } of [a, b]) node.reconnect()
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "eve"],
    ["ada", "eve"],
  ])
  expect(a.told.flat()).toEqual(["+eve", "-bob"])
  expect(b.told.flat()).toEqual(["+eve"])
})

test("whoever has the engine back last is told at once what the others have seen, and need not wait for them to speak (D12)", async () => {
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  for (const { node } of [a, b]) node.disconnect()
  await cluster.run(5_000)
  a.tracker.track("2", "room", "eve", {})
  a.node.reconnect()
  // Long enough for the heartbeats with which the first one back began, and not yet for those of a node with nothing to say.
  await cluster.run(2_000)
  b.node.reconnect()
  await cluster.run(TRANSFER)
  expect(b.keys()).toEqual(["ada", "bob", "eve"])
})

test("a jump of the wall clock changes nothing (D5)", async () => {
  const wall = Date.now
  const cluster = new Cluster()
  const [a, b] = await pair(cluster)
  try {
    Date.now = () => wall() + 24 * 60 * MINUTE
    await cluster.run(10_000)
    Date.now = () => 0
    await cluster.run(10_000)
  } finally {
    Date.now = wall
  }
  expect([...a.told, ...b.told]).toEqual([])
  expect(a.keys()).toEqual(["ada", "bob"])
})

test("two living nodes of one name are noticed and reported, and do not bury each other for ever (D6, D10)", async () => {
  const cluster = new Cluster()
  const watcher = cluster.start("c")
  const twins = [cluster.start("a"), cluster.start("a")]
  for (const [i, twin] of twins.entries()) twin.tracker.track("1", "room", `twin${i}`, {})
  await cluster.run(60_000)
  expect(watcher.codes()).toContain("name_conflict")
  expect(twins.flatMap((twin) => twin.codes())).toContain("name_conflict")
  const before = watcher.told.length
  const errors = watcher.errors.length
  await cluster.run(5 * MINUTE)
  expect(watcher.told.length).toBe(before)
  expect(watcher.errors.length).toBe(errors)
  expect(watcher.keys()).toHaveLength(1)

  // When the one that is shown goes, the other takes its place.
  const [shown] = watcher.keys()
  const winner = twins.find((_, i) => shown === `twin${i}`)
  const loser = twins.find((twin) => twin !== winner)
  await winner?.tracker.close()
  await cluster.run(5000)
  expect(watcher.keys()).toEqual([loser === twins[0] ? "twin0" : "twin1"])
})
