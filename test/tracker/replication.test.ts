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

test("a join, an update and a leave reach the other nodes within the delta window (T27)", async () => {
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

test("ten thousand joins in one window are sent as one delta", async () => {
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

test("a heartbeat with one join has at most 400 bytes", async () => {
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

test("several updates in one window arrive as one, with the phx_ref that it replaces at the receiver (D13)", async () => {
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

test("a presence that joins and leaves within one window is not reported on other nodes", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  a.tracker.untrack("1")
  await cluster.run(TRANSFER)
  expect(b.diffs).toEqual([])
})

test("processes of two nodes with the same pid are two presences", async () => {
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

test("a node that starts shows the presences of the others within half a second (D12)", async () => {
  const cluster = new SeededCluster({}, { delayMs: [5, 20] })
  const others = ["a", "b", "c"].map((name) => cluster.start(name))
  await cluster.run(10_000)
  for (const { node, tracker } of others) tracker.track("1", "room", node.name, {})
  await cluster.run(10_000)
  const fresh = cluster.start("d")
  await cluster.run(500)
  expect(fresh.keys()).toEqual(["a", "b", "c"])
})

test("a node that lacks something sends one transfer request, and nodes that are up to date send none (T34)", async () => {
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

test("a node that missed one change is sent a delta, and a new node the full state (T23)", async () => {
  const cluster = new SeededCluster({ maxDeltaSizes: [100] })
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
  const c = cluster.start("c")
  await cluster.run(TRANSFER)
  expect(c.keys()).toEqual(a.keys())
  const responses = [...typed(a, "transferResponse").slice(1), ...typed(b, "transferResponse")]
  expect(responses.map((sent) => sent.message)).toMatchObject([{ payload: { mode: "full" } }])
})

test("nodes that disagree on whether a third one is down do not exchange transfers again and again (#135)", async () => {
  const cluster = new SeededCluster()
  const [a, b, c] = ["a", "b", "c"].map((name) => cluster.start(name)) as [TestNode, TestNode, TestNode]
  for (const { node, tracker } of [a, b, c]) tracker.track("1", "room", node.name, {})
  await cluster.run(5000)
  // b no longer receives messages of c; a does, for a little longer.
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

test("transfer messages of an unknown replica are ignored until its first heartbeat, which a request asks for (T13)", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  const { pubsub } = cluster.network.node("ghost")
  await cluster.run(TRANSFER)
  const set = new Orswot<TrackedMeta>(newRef("ghost", cluster.network.random))
  set.join("1@ghost", "room", "boo", { phx_ref: "r1" })
  const sender = { ref: set.ref, shards: 1 }
  const payload = { mode: "full", parts: set.extract("", set.clocks()).parts } as const
  pubsub.send(
    "a",
    TOPIC,
    encodeMessage({ type: "transferResponse", ...sender, payload, isPacked: false, hasMore: false, index: 0 }),
  )
  pubsub.send(
    "a",
    TOPIC,
    encodeMessage({ type: "transferRequest", ...sender, clocks: set.clocks(), acceptsPacked: true }),
  )
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual([])
  expect(a.counts.get("tracker_refused_unknown")).toBe(2)
  expect(typed(a, "transferResponse")).toEqual([])
  const asked = typed(a, "heartbeat").filter(({ to }) => to === "ghost")
  expect(asked).toMatchObject([{ message: { requests: "heartbeat" } }])
  pubsub.publish(
    TOPIC,
    encodeMessage({
      type: "heartbeat",
      ...sender,
      clocks: set.clocks(),
      delta: set.takeDelta(),
      previousRef: undefined,
      digest: undefined,
      requests: "nothing",
    }),
  )
  await cluster.run(TRANSFER)
  expect(a.keys()).toEqual(["boo"])
})

test("invalid messages are refused and counted, and valid ones are still processed", async () => {
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

test("a node with messages of another version, or with messages that are too large, is reported once (T35)", async () => {
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

test("a state that is too large for one message is sent in chunks, after one transfer request", async () => {
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

test("a large state is sent in chunks, and changes that are made meanwhile are not lost", async () => {
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

test("after the loss of some chunks of a response, another transfer request follows", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000, maxDeltaSizes: [5] })
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 300; i += 1) {
    a.tracker.track(`${i}`, "room", `user-${i}`, {})
    if (i % 20 === 0) await cluster.run(60)
  }
  await cluster.run(TRANSFER)
  const b = cluster.start("b")
  await cluster.run(100)
  expect(b.tracker.size).toBeGreaterThan(0)
  cluster.network.set({ loss: 1 })
  await cluster.run(100)
  expect(b.tracker.size).toBeLessThan(300)
  cluster.network.set({ loss: 0 })
  await cluster.run(5000)
  expect(b.keys()).toEqual(a.keys())
  expect(typed(b, "transferRequest").length).toBeGreaterThan(1)
})

test("if a response stops before its last chunk, another transfer request follows before the next heartbeat", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000, maxDeltaSizes: [5] })
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 250; i += 1) {
    a.tracker.track(`${i}`, "room", `user-${i}`, {})
    if (i % 20 === 0) await cluster.run(60)
  }
  await cluster.run(TRANSFER)
  const b = cluster.start("b")
  await cluster.run(100)
  cluster.network.set({ loss: 1 })
  await cluster.run(450)
  const heartbeats = typed(a, "heartbeat").length
  expect(b.tracker.size).toBeLessThan(250)
  expect(typed(b, "transferRequest")).toHaveLength(1)
  cluster.network.set({ loss: 0 })
  await cluster.run(200)
  expect(typed(a, "heartbeat")).toHaveLength(heartbeats)
  expect(typed(b, "transferRequest")).toHaveLength(2)
})

test("a delta that is too large for one message is requested, and sent in chunks", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000 })
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  for (let i = 0; i < 90; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(1000)
  expect(b.tracker.size).toBe(90)
  expect(typed(b, "transferRequest")).toHaveLength(1)
  expect(typed(a, "transferResponse").length).toBeGreaterThan(1)
  expect([...a.errors, ...b.errors]).toEqual([])
})

test("a presence that is too large for a message is reported once, and all others arrive", async () => {
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

test("a node restarts when another one claims to have seen more dots of it than it has used, and its next changes arrive", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  const liar = cluster.network.node("liar")
  await cluster.run(TRANSFER)
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(TRANSFER)
  const sendInvalidClock = async (): Promise<void> => {
    const refs = ["liar0123456789", a.sent.at(-1)!.message.ref]
    const delta = [[[1, [1, Number.MAX_SAFE_INTEGER], []]], [0, 0], [0, 0]]
    liar.pubsub.send("b", TOPIC, bytes(["rollcall", 1, "heartbeat", 1, refs, [0, 0], delta]))
    await cluster.run(2 * 1500 + TRANSFER)
  }
  await sendInvalidClock()
  a.tracker.track("2", "room", "bea", {})
  await cluster.run(TRANSFER)
  expect([a.keys(), b.keys()]).toEqual([
    ["ada", "bea"],
    ["ada", "bea"],
  ])
  expect(a.diffs.flat()).toEqual(["+ada", "+bea"])
  expect(a.counts.get("tracker_overtaken")).toBeGreaterThan(0)
  // If invalid clocks keep arriving, it does not restart for each of them.
  const refs = new Set<string>()
  for (let i = 0; i < 20; i += 1) {
    await sendInvalidClock()
    refs.add(a.sent.at(-1)!.message.ref)
  }
  expect(refs.size).toBeLessThan(10)
  await cluster.run(15_000)
  expect(b.keys()).toEqual(["ada", "bea"])
})

test("pids and node names with an @ in them are kept apart", async () => {
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

test("heartbeats of more nodes than the maximum are refused and counted, and reported once", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  for (let i = 0; i < 1100; i += 1) {
    const { pubsub } = cluster.network.node(`n${i}`)
    const ref = newRef(`n${i}`, cluster.network.random)
    const heartbeat = { type: "heartbeat", ref, shards: 1, clocks: new Map([[ref, 0]]), delta: undefined } as const
    pubsub.send(
      "a",
      TOPIC,
      encodeMessage({ ...heartbeat, digest: undefined, previousRef: undefined, requests: "nothing" }),
    )
  }
  await cluster.run(TRANSFER)
  expect(a.counts.get("tracker_refused_crowded")).toBe(1100 - 1024)
  expect(a.codes()).toEqual(["crowded"])
})

test("nodes with different pool sizes refuse each other's messages and report it (T35)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a", { poolSize: 1 }), cluster.start("b", { poolSize: 2 })]
  a.tracker.track("1", "room", "ada", {})
  b.tracker.track("1", "room", "bob", {})
  await cluster.run(20_000)
  expect([a.keys(), b.keys()]).toEqual([["ada"], ["bob"]])
  expect([a, b].map((node) => node.codes())).toEqual([["pool_size_mismatch"], ["pool_size_mismatch"]])
})

test.for([1, 2, 7])("with %i shards every node shows the same presences (T35)", async (poolSize) => {
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

test("trackers with different names on one bus do not exchange presences", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a", { name: "one" }), cluster.start("b", { name: "two" })]
  const c = cluster.start("c", { name: "one" })
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(5000)
  expect([b.keys(), c.keys()]).toEqual([[], ["ada"]])
})

test("idle nodes send one small heartbeat every two periods, and nothing else (T27)", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(10_000)
  a.sent.length = 0
  await cluster.run(30_000)
  expect(a.sent.length).toBe(10)
  expect(a.sent.every(({ message, bytes }) => message.type === "heartbeat" && bytes < 100)).toBe(true)
  await b.tracker.close()
})

test("a message that cannot be sent is reported and counted, and its changes arrive later", async () => {
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b")]
  await cluster.run(TRANSFER)
  const failure = new Error("the engine refuses the message")
  const { publish } = a.node.pubsub
  const fail = (): never => {
    throw failure
  }
  Object.assign(a.node.pubsub, { publish: fail })
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(60)
  expect(a.errors).toEqual([failure])
  expect(a.counts).toEqual(new Map([["tracker_unsent", 1]]))
  expect(b.keys()).toEqual([])
  Object.assign(a.node.pubsub, { publish })
  await cluster.run(2 * 1500 + TRANSFER)
  expect(b.keys()).toEqual(["ada"])
})

test("a tracker whose bus was closed still tracks its own presences, and sends nothing", async () => {
  const cluster = new SeededCluster()
  const a = cluster.start("a")
  await cluster.run(TRANSFER)
  await a.node.pubsub.close()
  const sentBefore = a.sent.length
  a.tracker.track("1", "room", "ada", {})
  await cluster.run(5000)
  expect(a.keys()).toEqual(["ada"])
  expect(a.sent).toHaveLength(sentBefore)
  expect(a.errors).toEqual([])
})

test("two trackers agree over the real local bus", async () => {
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

test("a large delta and a large state arrive over a bus that accepts small messages only", async () => {
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

test("a silent node is down with the platform's own clock and timers", async () => {
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
