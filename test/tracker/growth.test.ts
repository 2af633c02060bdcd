import { expect, test } from "vitest"
import {
  decodeMessage,
  encodeMessage,
  type Heartbeat,
  type TransferResponse,
} from "../../src/tracker/tracker-messages.ts"
import { FaultyBus } from "../support/faulty-bus.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

const PERIOD = 1500
/** The time for heartbeats, a transfer request and its response, in virtual ms. */
const TRANSFER = 200

const heartbeatsOf = (node: TestNode): { message: Heartbeat; bytes: number; to: string | undefined }[] =>
  node.sent.flatMap(({ message, ...rest }) => (message.type === "heartbeat" ? [{ message, ...rest }] : []))
const responses = (nodes: readonly TestNode[], to: string): TransferResponse[] =>
  nodes.flatMap(({ sent }) => sent.filter((each) => each.to === to).map(({ message }) => message)).filter(isResponse)
const isResponse = (message: { type: string }): message is TransferResponse => message.type === "transferResponse"
const rowsIn = (messages: readonly TransferResponse[]): number =>
  messages.flatMap(({ payload }) => [...payload.parts.values()]).reduce((sum, { rows }) => sum + rows.length, 0)

async function start(cluster: SeededCluster, count: number): Promise<TestNode[]> {
  const nodes = Array.from({ length: count }, (_, i) => cluster.start(`node${i + 1}`))
  await cluster.run(4 * PERIOD)
  return nodes
}

test.for([3, 30, 100])("with %i nodes, a message with one join has at most 260 bytes", async (count) => {
  const cluster = new SeededCluster()
  const nodes = await start(cluster, count)
  nodes[0]!.tracker.track("1", "rooms:lobby", "ada", { name: "Ada Lovelace", status: "avail", since: 1_760_000_000 })
  await cluster.run(1000)
  expect(nodes.at(-1)!.tracker.list("rooms:lobby")).toHaveLength(1)
  const delta = heartbeatsOf(nodes[0]!).find(({ message }) => message.delta)
  expect(delta!.bytes).toBeLessThanOrEqual(260)
  expect(delta!.message.clocks.size).toBe(1)
})

test.for([4, 32])("%i idle nodes receive at most 60 bytes a period from each other", async (count) => {
  const cluster = new SeededCluster()
  const nodes = await start(cluster, count)
  for (const { tracker } of nodes) tracker.track("1", "room", "ada", {})
  await cluster.run(4 * PERIOD)
  for (const { sent } of nodes) sent.length = 0
  await cluster.run(20 * PERIOD)
  let bytes = 0
  for (const { sent } of nodes) for (const each of sent) bytes += each.bytes * (each.to === undefined ? count - 1 : 1)
  expect(bytes / 20).toBeLessThanOrEqual(60 * count ** 2)
})

test("own changes are collected for longer with more nodes, and for a second at most", async () => {
  const latency = async (count: number, deltaWindowMs?: number): Promise<number> => {
    const cluster = new SeededCluster(deltaWindowMs === undefined ? {} : { deltaWindowMs })
    const [first] = await start(cluster, count)
    first!.sent.length = 0
    first!.tracker.track("1", "room", "ada", {})
    for (let ms = 0; ; ms += 1) {
      if (heartbeatsOf(first!).some(({ message }) => message.delta)) return ms
      await cluster.run(1)
    }
  }
  expect(await latency(2)).toBe(50)
  expect(await latency(16)).toBe(50)
  expect(await latency(64)).toBe(200)
  expect(await latency(32, 900)).toBe(1000)
  expect(await latency(2, 1200)).toBe(1200)
})

test("a node that restarts while all others are busy gets the state once, from one node", async () => {
  const cluster = new SeededCluster({}, { delayMs: [1, 10] })
  const nodes = await start(cluster, 16)
  for (const [n, { tracker }] of nodes.entries()) {
    for (let i = 0; i < 50; i += 1) tracker.track(`${i}`, "room", `user-${n}-${i}`, {})
  }
  await cluster.run(2 * PERIOD)
  const restarted = nodes.pop()!
  await restarted.tracker.close()
  restarted.node.crash()
  for (const { sent } of nodes) sent.length = 0
  let count = 0
  const again = cluster.start("node16")
  for (let round = 0; round < 40; round += 1) {
    for (const [n, { tracker }] of nodes.entries()) tracker.update("1", "room", `user-${n}-1`, { at: (count += 1) })
    await cluster.run(50)
  }
  await cluster.run(1000)
  expect(again.tracker.size).toBe(15 * 50)
  expect(rowsIn(responses(nodes, "node16"))).toBeLessThanOrEqual(1.1 * 15 * 50)
  expect(again.sent.filter(({ message }) => message.type === "transferRequest").length).toBeLessThanOrEqual(2)
})

test("a newcomer in a young cluster gets the full state, although the deltas reach back to the start", async () => {
  const cluster = new SeededCluster()
  const nodes = await start(cluster, 4)
  for (const [n, { tracker }] of nodes.entries()) {
    for (let i = 0; i < 300; i += 1) {
      tracker.track(`${i}`, "room", `user-${n}-${i}`, {})
      if (i % 50 === 0) await cluster.run(60)
    }
  }
  await cluster.run(2 * PERIOD)
  const newcomer = cluster.start("newcomer")
  await cluster.run(TRANSFER)
  expect(newcomer.tracker.size).toBe(1200)
  const received = responses(nodes, "newcomer")
  expect(rowsIn(received)).toBe(1200)
  expect(received.map(({ payload }) => payload.mode)).toEqual(["full"])
})

test("if the node that is asked never responds, the next one is asked within a third of a period", async () => {
  const cluster = new SeededCluster()
  const nodes = await start(cluster, 4)
  for (const [n, { tracker }] of nodes.entries()) tracker.track("1", "room", `user-${n}`, {})
  await cluster.run(2 * PERIOD)
  const incoming = new FaultyBus()
  let silent: string | undefined
  incoming.change = (bytes, from) => {
    const message = decodeMessage(bytes)
    if (typeof message === "string" || message.type !== "transferResponse") return bytes
    silent ??= from
    return from === silent ? undefined : bytes
  }
  const newcomer = cluster.start("newcomer", {}, incoming)
  await cluster.run(PERIOD / 3 + TRANSFER)
  expect(silent).toBeDefined()
  expect(newcomer.tracker.size).toBe(4)
})

test("a lost chunk is requested again, although no clock shows that something is missing", async () => {
  const cluster = new SeededCluster({ maxMessageBytes: 3000, maxDeltaSizes: [1] })
  const incoming = new FaultyBus()
  const a = cluster.start("a")
  const b = cluster.start("b", {}, incoming)
  await cluster.run(TRANSFER)
  for (let i = 0; i < 150; i += 1) a.tracker.track(`${i}`, "room", `user-${i}`, {})
  await cluster.run(1000)
  expect(b.tracker.size).toBe(150)
  // All that the second node has seen is among the lowest dots. What it misses now removes a row there.
  let chunks = 0
  let isCut = true
  incoming.change = (bytes) => {
    const message = decodeMessage(bytes)
    if (typeof message === "string") return bytes
    if (message.type === "heartbeat" && message.delta) return undefined
    if (message.type !== "transferResponse" || !isCut) return bytes
    chunks += 1
    if (message.hasMore) return bytes
    isCut = false
    return undefined
  }
  a.tracker.untrack("0")
  for (let i = 0; i < 10; i += 1) {
    a.tracker.track("150", "room", "user-150", {})
    a.tracker.untrack("150")
  }
  await cluster.run(3 * PERIOD)
  expect(chunks).toBeGreaterThan(1)
  expect(isCut).toBe(false)
  expect(b.keys()).toEqual(a.keys())
})

test("a node whose digest always differs is asked for its clocks at most once a period", async () => {
  const cluster = new SeededCluster()
  const incoming = new FaultyBus()
  const [a, b] = [cluster.start("a"), cluster.start("b", {}, incoming)]
  await cluster.run(2 * PERIOD)
  incoming.change = (bytes) => {
    const message = decodeMessage(bytes)
    if (typeof message === "string" || message.type !== "heartbeat" || !message.digest) return bytes
    return encodeMessage({ ...message, digest: { sum: 7, hash: 7 } })
  }
  a.tracker.track("1", "room", "ada", {})
  b.sent.length = 0
  await cluster.run(20 * PERIOD)
  const requests = heartbeatsOf(b).filter(({ message }) => message.requests === "clocks")
  expect(requests.length).toBeGreaterThan(5)
  expect(requests.length).toBeLessThanOrEqual(20)
  expect(b.keys()).toEqual(["ada"])
})

test("what no owner's clock shows is found by the digests: more is claimed of a node than it has sent", async () => {
  const cluster = new SeededCluster()
  const incoming = new FaultyBus()
  const [a, b, c] = [cluster.start("a"), cluster.start("b", {}, incoming), cluster.start("c")]
  await cluster.run(2 * PERIOD)
  a.tracker.track("1", "room", "ada", {})
  // The second node receives invalid data, by which it has seen dots that the first one has yet to use.
  incoming.change = (bytes) => {
    const message = decodeMessage(bytes)
    if (typeof message === "string" || message.type !== "heartbeat" || !message.delta) return bytes
    incoming.change = undefined
    const part = message.delta.parts.get(message.ref)!
    const parts = new Map(message.delta.parts).set(message.ref, { ...part, seen: [1, 9] })
    return encodeMessage({ ...message, delta: { ...message.delta, parts, end: new Map([[message.ref, 9]]) } })
  }
  await cluster.run(8 * PERIOD)
  expect(a.counts.get("tracker_overtaken")).toBe(1)
  a.tracker.track("2", "room", "bob", {})
  await cluster.run(2 * PERIOD)
  for (const node of [a, b, c]) expect(node.keys()).toEqual(["ada", "bob"])
})
