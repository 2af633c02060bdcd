import { expect, test } from "vitest"
import { Orswot } from "../../src/crdt/orswot.ts"
import { local, LocalBus } from "../../src/pubsub/local.ts"
import { encodeMessage } from "../../src/tracker/tracker-messages.ts"
import type { TrackedMeta } from "../../src/tracker/topic-diff.ts"
import { newRef } from "../../src/tracker/replica-ref.ts"
import { createTracker, type Tracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

const TRANSFER = 100
const TOPIC = "tracker:presence:0"

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const typed = (node: TestNode, type: string): TestNode["sent"] =>
  node.sent.filter(({ message }) => message.type === type)

test("a join, an update and a leave reach the others within the window (T27)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  const ref = a.tracker.track("1", "room", "ada", { status: "avail" })
  await cluster.run(60)
  expect(b.tracker.list("room")).toMatchObject([{ pid: "1@a", key: "ada", meta: { status: "avail", phx_ref: ref } }])
  const next = a.tracker.update("1", "room", "ada", { status: "away" })
  await cluster.run(60)
  expect(b.tracker.getByKey("room", "ada")).toMatchObject([{ meta: { phx_ref: next, phx_ref_prev: ref } }])
  a.tracker.untrack("1")
  await cluster.run(60)
  expect(b.diffs).toEqual([["+ada"], ["+ada", "-ada"], ["-ada"]])
})

test("a storm of joins in one window is one delta", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  const before = a.sent.length
  for (let i = 0; i < 10_000; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(60)
  expect(a.sent.length - before).toBe(1)
  expect(b.tracker.list("room")).toHaveLength(10_000)
  expect(b.diffs).toHaveLength(1)
})

test("a heartbeat that tells of one join has at most 400 bytes", async () => {
  const cluster = new SeededCluster()
  const nodes = ["a", "b", "c"].map((name) => cluster.start(`web-7d4b9c6f5-${name.repeat(5)}`))
  await cluster.run(TRANSFER)
  const [a] = nodes as [TestNode]
  a.tracker.track("12", "rooms:lobby", "user-4711", { name: "Ada Lovelace", status: "avail" })
  await cluster.run(60)
  const last = a.sent.at(-1)
  expect(last?.message).toMatchObject({ type: "heartbeat", delta: { mode: "delta" } })
  expect(last?.bytes).toBeLessThanOrEqual(400)
})

test("several updates within a window arrive as one, which names the ref that it replaces there (D13)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  const first = a.tracker.track("1", "room", "ada", {})
  await cluster.run(60)
  const refs: (string | undefined)[] = []
  b.tracker.onDiff((diff) => {
    const { joins, leaves } = diff.get("room")!
    refs.push(...leaves.map((row) => row.meta.phx_ref), ...joins.map((row) => row.meta.phx_ref_prev))
  })
  for (let i = 0; i < 3; i += 1) a.tracker.update("1", "room", "ada", { i })
  await cluster.run(60)
  expect(refs).toEqual([first, first])
})

test("what came and went within a window is never told", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  a.tracker.untrack("1")
  await cluster.run(TRANSFER)
  expect(b.diffs).toEqual([])
})

test("processes of two nodes are told apart, though both nodes call them the same", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "ada", {})
  await cluster.run(TRANSFER)
  expect(a.tracker.getByKey("room", "ada").map((row) => row.pid)).toEqual(["1@a", "1@b"])
  expect(a.tracker.getByPid("1", "room").map((row) => row.pid)).toEqual(["1@a"])
  b.tracker.untrack("1")
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual(["ada"])
})

test("a node that starts shows the others' presences within half a second (D12)", async () => {
  const cluster = new SeededCluster({}, { delayMs: [5, 20] })
  const others = ["a", "b", "c"].map((name) => cluster.start(name))
  await cluster.run(10_000)
  for (const { node, tracker } of others) tracker.track("1", "room", node.name, {})
  await cluster.run(10_000)
  const fresh = cluster.start("d")
  await cluster.run(500)
  expect(fresh.keys()).toEqual(["a", "b", "c"])
})

test("whoever lacks something asks one node that dominates, and nobody asks who is up to date (T34)", async () => {
  const cluster = new SeededCluster()
  const others = ["a", "b", "c", "d"].map((name) => cluster.start(name))
  for (const { node, tracker } of others) tracker.track("1", "room", node.name, {})
  await cluster.run(5000)
  for (const { sent } of others) sent.length = 0
  const fresh = cluster.start("e")
  await cluster.run(60_000)
  expect(typed(fresh, "transferRequest")).toHaveLength(1)
  expect(others.flatMap((node) => typed(node, "transferResponse"))).toHaveLength(1)
  expect(others.flatMap((node) => typed(node, "transferRequest"))).toEqual([])
})

test("a node that missed a little is sent a delta, and one that missed all the full state (T23)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  for (let i = 0; i < 500; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(TRANSFER)
  cluster.network.set({ loss: 1 })
  a.tracker.track("x", "room", "missed", {})
  await cluster.run(60)
  cluster.network.set({ loss: 0 })
  await cluster.run(3000 + TRANSFER)
  expect(b.keys()).toContain("missed")
  const [answer] = typed(a, "transferResponse").map(({ message }) => message)
  expect(answer).toMatchObject({ type: "transferResponse", payload: { mode: "delta" } })
  expect(typed(a, "transferResponse")[0]?.bytes).toBeLessThan(400)
})

test("in a rolling update the third node never loops in transfers while another is in its grace (#135)", async () => {
  const cluster = new SeededCluster()
  const [a, b, c] = ["a", "b", "c"].map((name) => cluster.start(name)) as [TestNode, TestNode, TestNode]
  for (const { node, tracker } of [a, b, c]) tracker.track("1", "room", node.name, {})
  await cluster.run(5000)
  // b notices the silence of c; a hears c a little longer.
  cluster.network.split(["a", "c"], ["b"])
  await cluster.run(4000)
  c.node.crash()
  cluster.network.heal()
  for (const { sent } of [a, b]) sent.length = 0
  await cluster.run(60_000)
  expect([a.keys(), b.keys()]).toEqual([
    ["a", "b"],
    ["a", "b"],
  ])
  expect([...typed(a, "transferRequest"), ...typed(b, "transferRequest")].length).toBeLessThanOrEqual(2)
})

test("an unknown replica is ignored until its heartbeat (T13)", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  const { pubsub } = cluster.network.node("ghost")
  await cluster.run(TRANSFER)
  const set = new Orswot<TrackedMeta>(newRef("ghost", cluster.network.random))
  set.join("1@ghost", "room", "boo", { phx_ref: "r1" })
  const sender = { ref: set.ref, shards: 1 }
  const payload = { mode: "full", parts: set.extract("", set.clocks()).parts } as const
  pubsub.send("a", TOPIC, encodeMessage({ type: "transferResponse", ...sender, payload, hasMore: false }))
  pubsub.send("a", TOPIC, encodeMessage({ type: "transferRequest", ...sender, clocks: set.clocks() }))
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual([])
  expect(a.counts.get("tracker_refused_unknown")).toBe(2)
  expect(typed(a, "transferResponse")).toEqual([])
  pubsub.publish(
    TOPIC,
    encodeMessage({
      type: "heartbeat",
      ...sender,
      clocks: set.clocks(),
      delta: set.takeDelta(),
      previousRef: undefined,
      requestsClocks: false,
    }),
  )
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual(["boo"])
})

test("bad input from the bus is counted, and changes and stops nothing", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 10_000 })
  const a = cluster.start("a")
  const { pubsub } = cluster.network.node("b")
  await cluster.run(TRANSFER)
  const ref = newRef("b", cluster.network.random)
  const bad: [counter: string, bytes: Uint8Array][] = [
    ["garbage", new Uint8Array([0xff, 0xfe, 0])],
    ["garbage", bytes({ hello: "world" })],
    ["garbage", bytes(["another", 1, "goodbye", 1, [ref]])],
    ["version", bytes(["rollcall", 2, "goodbye", 1, [ref]])],
    ["malformed", bytes(["rollcall", 1, "heartbeat", 1, [ref], [0, -1], 0])],
    ["malformed", bytes(["rollcall", 1, "heartbeat", 1, [ref], [0, 1e300], 0])],
    ["malformed", bytes(["rollcall", 1, "answer", 1, [ref], [[["length", [1, 1], []]]]])],
    ["oversize", new Uint8Array(10_001)],
    ["sender", bytes(["rollcall", 1, "goodbye", 1, [newRef("c", cluster.network.random)]])],
    ["echo", bytes(["rollcall", 1, "goodbye", 1, [newRef("a", cluster.network.random)]])],
    ["unknown", bytes(["rollcall", 1, "request", 1, [ref], [0, 1]])],
  ]
  for (const [, message] of bad) pubsub.publish(TOPIC, message)
  pubsub.publish("tracker:other:0", bytes(["rollcall", 1, "goodbye", 1, [ref]]))
  await cluster.run(TRANSFER)
  const expected = new Map<string, number>()
  for (const [reason] of bad) {
    const counter = `tracker_refused_${reason}`
    expected.set(counter, (expected.get(counter) ?? 0) + 1)
  }
  expect(a.counts).toEqual(expected)
  expect([a.diffs, a.codes()]).toEqual([[], ["version_mismatch", "oversize"]])
  const b = cluster.start("c")
  b.tracker.track("1", "room", "eve", {})
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual(["eve"])
})

test("of a node that speaks another version, or too much at once, is told once (T35)", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 1000 })
  const a = cluster.start("a")
  const [b, c] = ["b", "c"].map((name) => cluster.network.node(name).pubsub)
  await cluster.run(TRANSFER)
  for (let i = 0; i < 3; i += 1) {
    b!.publish(TOPIC, bytes(["rollcall", 2, "goodbye", 1, ["b0123456789"]]))
    c!.publish(TOPIC, new Uint8Array(1001))
  }
  await cluster.run(TRANSFER)
  expect(new Set(a.codes())).toEqual(new Set(["version_mismatch", "oversize"]))
  expect(a.errors.map(String)).toEqual([
    expect.stringMatching("got another version from b"),
    expect.stringMatching("at most 1000 bytes, got 1001 from c"),
  ])
})

test("a state that is too large for one message travels in several, and is asked for once", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000, maxDeltaSizes: [5] })
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 60; i += 1) {
    a.tracker.track(`${i}`, "room", `user-${i}`, { name: "n".repeat((i % 7) * 100) })
    await cluster.run(60)
  }
  const b = cluster.start("b")
  await cluster.run(5000)
  expect(b.tracker.list("room").map(({ key, meta }) => [key, meta])).toEqual(
    expect.arrayContaining(a.tracker.list("room").map(({ key, meta }) => [key, meta])),
  )
  expect(b.tracker.size).toBe(60)
  expect(typed(b, "transferRequest")).toHaveLength(1)
  expect(Math.max(...typed(a, "transferResponse").map((sent) => sent.bytes))).toBeLessThanOrEqual(3000)
  expect([...a.errors, ...b.errors]).toEqual([])
})

test("a large state travels in pieces, so that neither end is busy for long, and changes on its way are not lost", async () => {
  const cluster = new SeededCluster({ maxDeltaSizes: [5] })
  const a = cluster.start("a")
  const c = cluster.start("c")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 20_000; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(TRANSFER)
  const b = cluster.start("b")
  await cluster.run(60)
  a.tracker.untrack("0")
  a.tracker.update("1", "room", "user-1", { away: true })
  a.tracker.track("new", "room", "late", {})
  await cluster.run(2000)
  expect(b.keys()).toEqual(a.keys())
  expect(b.keys()).toHaveLength(20_000)
  expect(b.tracker.getByKey("room", "user-1")).toMatchObject([{ meta: { away: true } }])
  const answers = [...typed(a, "transferResponse"), ...typed(c, "transferResponse")]
  expect(answers.length).toBeLessThanOrEqual(6)
  expect(Math.max(...answers.map((sent) => sent.bytes))).toBeLessThan(1024 * 1024)
})

test("an answer of several pieces, some of which are lost, is asked for again", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000, maxDeltaSizes: [5] })
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 300; i += 1) {
    a.tracker.track(`${i}`, "room", `user-${i}`, {})
    if (i % 20 === 0) await cluster.run(60)
  }
  await cluster.run(TRANSFER)
  cluster.network.set({ loss: 0.3 })
  const b = cluster.start("b")
  await cluster.run(500)
  cluster.network.set({ loss: 0 })
  await cluster.run(5000)
  expect(b.keys()).toEqual(a.keys())
})

test("a delta that is too large for one message is asked for, and answered in several", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000 })
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  for (let i = 0; i < 90; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(1000)
  expect(b.tracker.size).toBe(90)
  expect([...a.errors, ...b.errors]).toEqual([])
})

test("a presence that is too large for a message hides no other, and is told of once", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000 })
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  for (const key of ["ada", "bob", "eve"]) a.tracker.track("1", "room", key, {})
  a.tracker.track("1", "room", "large", { name: "n".repeat(5000) })
  for (const key of ["dan", "gil"]) a.tracker.track("1", "room", key, {})
  await cluster.run(30_000)
  expect(b.keys()).toEqual(["ada", "bob", "dan", "eve", "gil"])
  expect(b.codes()).toEqual(["oversize"])
})

test("a node of which others have seen more than there was restarts, and is seen again", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  const liar = cluster.network.node("liar")
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(TRANSFER)
  const lie = async (): Promise<void> => {
    const refs = ["liar0123456789", a.sent.at(-1)!.message.ref]
    const delta = [[[1, [1, Number.MAX_SAFE_INTEGER], []]], [0, 0], [0, 0]]
    liar.pubsub.send("b", TOPIC, bytes(["rollcall", 1, "heartbeat", 1, refs, [0, 0], delta]))
    await cluster.run(2 * 1500 + TRANSFER)
  }
  await lie()
  a.tracker.track("2", "room", "bea", {})
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bea"],
    ["ada", "bea"],
  ])
  expect(a.diffs.flat()).toEqual(["+ada", "+bea"])
  expect(a.counts.get("tracker_overtaken")).toBeGreaterThan(0)
  // Lied about without an end, it does not restart without an end.
  const refs = new Set<string>()
  for (let i = 0; i < 20; i += 1) {
    await lie()
    refs.add(a.sent.at(-1)!.message.ref)
  }
  expect(refs.size).toBeLessThan(10)
  await cluster.run(15_000)
  expect(b.keys()).toEqual(["ada", "bea"])
})

test("processes are told apart where the names of nodes and processes have an @ as well", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("app@h"), cluster.start("h")]
  a.tracker.track("1", "room", "ada", { at: "a" })
  b.tracker.track("1@app", "room", "ada", { at: "b" })
  b.tracker.track("1%40app", "room", "ada", { at: "c" })
  await cluster.run(TRANSFER)
  for (const { tracker } of [a, b]) {
    const pids = tracker.list("room").map((row) => row.pid)
    expect(new Set(pids)).toEqual(new Set(["1@app@h", "1%40app@h", "1%2540app@h"]))
  }
  expect(b.tracker.getByPid("1@app", "room")).toMatchObject([{ meta: { at: "b" } }])
  b.tracker.untrack("1@app")
  await cluster.run(TRANSFER)
  expect(a.tracker.list("room").map((row) => row.meta["at"])).toEqual(["a", "c"])
})

test("replicas beyond the bound are refused, counted, and told of once", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 1100; i += 1) {
    const { pubsub } = cluster.network.node(`n${i}`)
    const ref = newRef(`n${i}`, cluster.network.random)
    const hello = { type: "heartbeat", ref, shards: 1, clocks: new Map([[ref, 0]]), delta: undefined } as const
    pubsub.send("a", TOPIC, encodeMessage({ ...hello, previousRef: undefined, requestsClocks: false }))
  }
  await cluster.run(TRANSFER)
  expect(a.counts.get("tracker_refused_crowded")).toBe(1100 - 1024)
  expect(a.codes()).toEqual(["crowded"])
})

test("nodes that disagree on the pool's size refuse each other and say so (T35)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a", { poolSize: 1 }), cluster.start("b", { poolSize: 2 })]
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "bob", {})
  await cluster.run(20_000)
  expect([a.keys(), b.keys()]).toEqual([["ada"], ["bob"]])
  expect([a, b].map((node) => node.codes())).toEqual([["pool_size_mismatch"], ["pool_size_mismatch"]])
})

test.for([1, 2, 7])("a pool of %i shards shows the same on every node (T35)", async (poolSize) => {
  const cluster = new SeededCluster({ poolSize })
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  const topics = Array.from({ length: 20 }, (_, i) => `rooms:${i}`)
  for (const topic of topics) a.tracker.track("1", topic, "ada", {})
  await cluster.run(TRANSFER)
  expect(topics.flatMap((topic) => b.tracker.list(topic))).toHaveLength(20)
  a.tracker.untrack("1")
  await cluster.run(TRANSFER)
  expect(topics.flatMap((topic) => b.tracker.list(topic))).toEqual([])
  await a.tracker.close()
})

test("trackers of different names on one bus do not meet", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a", { name: "one" }), cluster.start("b", { name: "two" })]
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(5000)
  expect(b.keys()).toEqual([])
})

test("an idle pair sends one small heartbeat each per silent span, and nothing else (T27)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(10_000)
  a.sent.length = 0
  await cluster.run(30_000)
  expect(a.sent.length).toBe(10)
  expect(a.sent.every(({ message, bytes }) => message.type === "heartbeat" && bytes < 100)).toBe(true)
  await b.tracker.close()
})

test("what cannot be sent is reported and counted, and no reason to stop", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  await a.node.pubsub.close()
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada"])
})

test("over the real local bus, two trackers agree", async () => {
  const bus = new LocalBus()
  const [a, b] = ["a", "b"].map((node) => createTracker({ pubsub: local({ bus, node }), deltaWindowMs: 0 }))
  const joined = new Promise<void>((resolve) => b!.onDiff((diff) => diff.has("room") && resolve()))
  a!.track("1", "room", "ada", {})
  await joined
  expect(b!.list("room")).toMatchObject([{ key: "ada", pid: "1@a" }])
  const left = new Promise<void>((resolve) => b!.onDiff((diff) => diff.get("room")?.leaves.length === 1 && resolve()))
  await a!.close()
  await left
  await b!.close()
})

test("over a bus that takes small messages only, a large delta and a large state arrive all the same", async () => {
  const bus = new LocalBus()
  const errors: unknown[] = []
  const start = (node: string): Tracker => {
    const pubsub = local({ bus, node, maxBufferedBytes: 2000 })
    const timing = { broadcastPeriodMs: 20, downPeriodMs: 5000, deltaWindowMs: 0, maxDeltaSizes: [5] }
    return createTracker({ pubsub, ...timing, onError: (error) => void errors.push(error) })
  }
  const [a, b] = [start("a"), start("b")]
  for (let i = 0; i < 60; i += 1) a.track(`${i}`, "room", `user-${i}`, {})
  await until(() => b.size === 60)
  const c = start("c")
  await until(() => c.size === 60)
  expect(errors).toEqual([])
  for (const tracker of [a, b, c]) await tracker.close()
})

test("by the platform's own clock and timers, a node that falls silent is down", async () => {
  const bus = new LocalBus()
  const timing = { broadcastPeriodMs: 20, maxSilentPeriods: 0, deltaWindowMs: 0, downPeriodMs: 80 }
  const [a, b] = ["a", "b"].map((node) => createTracker({ pubsub: local({ bus, node }), ...timing }))
  const joined = new Promise<void>((resolve) => a!.onDiff((diff) => diff.has("room") && resolve()))
  b!.track("1", "room", "bob", {})
  await joined
  const left = new Promise<void>((resolve) => a!.onDiff((diff) => diff.get("room")?.leaves.length === 1 && resolve()))
  await b!.close({ goodbye: false })
  await left
  expect(a!.list("room")).toEqual([])
  await a!.close()
})
