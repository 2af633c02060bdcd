import { expect, test } from "vitest"
import { decodeMessage, encodeMessage } from "../../src/tracker/tracker-messages.ts"
import { FaultyBus } from "../support/faulty-bus.ts"
import { SeededCluster, type TestNode } from "./seeded-cluster.ts"

// A node that others have forgotten restarts under a new ref. Nodes that have not forgotten it show its rows all the time.

const MINUTE = 60_000
/** The time for clocks, a transfer request and its response, in virtual ms. */
const TRANSFER = 100

interface Three {
  readonly cluster: SeededCluster
  readonly nodes: readonly [TestNode, TestNode, TestNode]
  /** What the second and the third node receive. */
  readonly toSecond: FaultyBus
  readonly toThird: FaultyBus
}

/** Three nodes, of which the third has forgotten the first, because it received nothing of it for 21 minutes. */
async function forgotten(presences = 2): Promise<Three> {
  const cluster = new SeededCluster({ maxMessageBytes: 20_000 })
  const [toSecond, toThird] = [new FaultyBus(), new FaultyBus()]
  const n1 = cluster.start("n1")
  const n2 = cluster.start("n2", {}, toSecond)
  const n3 = cluster.start("n3", {}, toThird)
  for (let i = 0; i < presences; i += 1) n1.tracker.track(`${i}`, "room", `user${i}`, {})
  await cluster.run(TRANSFER)
  toThird.change = (bytes, from) => (from === "n1" ? undefined : bytes)
  await cluster.run(21 * MINUTE)
  expect(n3.keys()).toEqual([])
  expect(n2.keys()).toHaveLength(presences)
  for (const node of [n1, n2, n3]) node.diffs.length = 0
  return { cluster, nodes: [n1, n2, n3], toSecond, toThird }
}

/** Ends the silence. The third node's notice makes the first one restart; the second loses the restart's first heartbeat. */
async function restartUnnoticed({ cluster, nodes: [n1], toSecond, toThird }: Three): Promise<void> {
  const old = n1.sent.at(-1)?.message.ref
  toSecond.change = (bytes, from) => (from === "n1" ? undefined : bytes)
  toThird.change = undefined
  while (n1.sent.at(-1)?.message.ref === old) await cluster.run(20)
  await cluster.run(20)
  toSecond.change = undefined
}

test("a node's rows stay when its new ref is heard of before the state of the new ref (D9)", async () => {
  const three = await forgotten()
  await restartUnnoticed(three)
  const [n1, n2, n3] = three.nodes
  await three.cluster.run(2 * 1500 + TRANSFER)
  expect(n3.keys()).toEqual(["user0", "user1"])
  expect(n2.keys()).toEqual(["user0", "user1"])
  expect(n2.diffs).toEqual([])
  await three.cluster.run(3000)
  // The old ref is no longer among the clocks of the second node: it has been forgotten, and not only outranked.
  const digestsOf = (node: TestNode): unknown[] =>
    node.sent.flatMap(({ message }) => (message.type === "heartbeat" && message.digest ? [message.digest] : []))
  expect(digestsOf(n2).at(-1)).toEqual(digestsOf(n1).at(-1))
})

test("what changed since is one diff when the state of the new ref has arrived", async () => {
  const three = await forgotten()
  await restartUnnoticed(three)
  const [n1, n2] = three.nodes
  three.toSecond.change = withoutResponses
  n1.tracker.untrack("0")
  n1.tracker.update("1", "room", "user1", { status: "away" })
  n1.tracker.track("2", "room", "user2", {})
  await three.cluster.run(3000)
  three.toSecond.change = undefined
  await three.cluster.run(3000 + TRANSFER)
  expect(n2.keys()).toEqual(["user1", "user2"])
  expect(n2.tracker.getByKey("room", "user1").map(({ meta }) => meta["status"])).toEqual(["away"])
  // The update and the join of a new user may be reported before the leave, since their delta arrives before the state.
  expect(n2.diffs.flat().sort()).toEqual(["+user1", "+user2", "-user0", "-user1"])
})

test("a state in several chunks changes nothing of what has not changed", async () => {
  const three = await forgotten(600)
  await restartUnnoticed(three)
  const [, n2, n3] = three.nodes
  await three.cluster.run(2 * 1500 + 10 * TRANSFER)
  expect(n2.keys()).toHaveLength(600)
  expect(n3.keys()).toHaveLength(600)
  expect(n2.diffs).toEqual([])
})

test("the old rows leave after the down period at the latest, also if the state never arrives", async () => {
  const three = await forgotten()
  await restartUnnoticed(three)
  const [, n2] = three.nodes
  three.toSecond.change = withoutResponses
  await three.cluster.run(9000)
  expect(n2.keys()).toEqual(["user0", "user1"])
  await three.cluster.run(3100)
  expect(n2.diffs.flat()).toEqual(["-user0", "-user1"])
  three.toSecond.change = undefined
  await three.cluster.run(3000 + TRANSFER)
  expect(n2.keys()).toEqual(["user0", "user1"])
})

test("the old rows leave at once when the node sends a goodbye, and after the down period when it is killed", async () => {
  for (const end of ["goodbye", "kill"] as const) {
    const three = await forgotten()
    await restartUnnoticed(three)
    const [n1, n2] = three.nodes
    three.toSecond.change = withoutResponses
    await three.cluster.run(3000)
    expect(n2.keys()).toEqual(["user0", "user1"])
    if (end === "goodbye") n1.tracker.goodbye()
    else n1.node.crash()
    await three.cluster.run(end === "goodbye" ? 20 : 9000)
    expect(n2.diffs.flat()).toEqual(["-user0", "-user1"])
  }
})

test("a second restart before the state of the first has arrived keeps the rows, too", async () => {
  const three = await forgotten()
  await restartUnnoticed(three)
  const [n1, n2, n3] = three.nodes
  three.toSecond.change = withoutResponses
  await three.cluster.run(3000)
  const ref = n1.sent.at(-1)?.message.ref as string
  // The third node sends what it would send if it had declared the new ref permanently down as well.
  const sender = { ref: n3.sent.at(-1)?.message.ref as string, shards: 1 }
  const notice = encodeMessage({ type: "staleRefNotice", ...sender, staleRef: ref, currentRef: undefined })
  n3.node.pubsub.send("n1", "tracker:presence:0", notice)
  await three.cluster.run(20)
  expect(n1.sent.at(-1)?.message.ref).not.toBe(ref)
  three.toSecond.change = undefined
  await three.cluster.run(3000 + TRANSFER)
  expect(n2.keys()).toEqual(["user0", "user1"])
  expect(n2.diffs).toEqual([])
})

/** Drops transfer responses, without which the state of a new ref does not arrive. */
function withoutResponses(bytes: Uint8Array): Uint8Array | undefined {
  const message = decodeMessage(bytes)
  return typeof message === "object" && message.type === "transferResponse" ? undefined : bytes
}
