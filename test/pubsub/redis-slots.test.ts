import { afterAll, beforeAll, expect, test } from "vitest"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { slotOf } from "../../src/pubsub/redis-slots.ts"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { PATIENT } from "../contracts/pubsub.ts"
import { redisClient } from "../support/redis-client.ts"
import { clusteredServers, type RedisTopology } from "../support/redis-topologies.ts"

let topology: RedisTopology

beforeAll(async () => {
  topology = await clusteredServers()
})
afterAll(() => topology.close())

const urls = (): string[] =>
  (topology.options as { cluster: { rootNodes: { url: string }[] } }).cluster.rootNodes.map(({ url }) => url)

async function ask<Answer>(url: string, ...command: string[]): Promise<Answer> {
  const client = await redisClient(url)
  try {
    return (await client.sendCommand(command)) as Answer
  } finally {
    client.destroy()
  }
}

/** The server that serves a channel with a subscriber, and another one that could. */
async function ownerAndAnother(channel: string): Promise<[owner: string, another: string]> {
  const primaries = urls().slice(0, 3)
  const counts = await Promise.all(primaries.map((url) => subscribersOf(url, channel)))
  return [primaries[counts.indexOf(1)]!, primaries[counts.indexOf(0)]!]
}

async function subscribersOf(url: string, channel: string): Promise<number> {
  return Number((await ask<[string, number]>(url, "PUBSUB", "SHARDNUMSUB", channel))[1])
}

const setSlot = (at: string, channel: string, ...state: string[]): Promise<unknown> =>
  ask(at, "CLUSTER", "SETSLOT", `${slotOf(channel)}`, ...state)

/**
 * Gives the hash slot of a channel to another server as redis-cli does. A server that imports a slot takes it with a new
 * highest epoch, so that no other server can dispute it. Without `IMPORTING`, the former owner takes the slot back from the
 * new one if they exchange a gossip message meanwhile, and after that each of them names the other one as the owner, for ever.
 */
async function moveSlot(channel: string, source: string, target: string): Promise<void> {
  const [sourceId, targetId] = await Promise.all([source, target].map((url) => ask<string>(url, "CLUSTER", "MYID")))
  await setSlot(target, channel, "IMPORTING", sourceId!)
  await setSlot(source, channel, "MIGRATING", targetId!)
  for (const url of [target, source]) await setSlot(url, channel, "NODE", targetId!)
}

/** Two nodes, of which the second one receives what the first one publishes to the topic. */
async function senderAndReceiver(topic: string): Promise<{ nodes: PubSub[]; received: number[] }> {
  const options = { ...PATIENT, ...topology.options }
  const nodes = await Promise.all([redis(options), redis(options)])
  const received: number[] = []
  await nodes[1].subscribe(topic, (bytes) => void received.push(bytes[0]!))
  nodes[0].publish(topic, Uint8Array.of(1))
  await expect.poll(() => received).toEqual([1])
  return { nodes, received }
}

test("a channel has the hash slot that Redis computes", async () => {
  expect(slotOf("123456789")).toBe(12_739)
  const { topic, node } = subjectNames("rollcall")
  for (const channel of ["", topic("rooms:1"), topic("räume: #1"), node("web-1")]) {
    expect(slotOf(channel)).toBe(await ask<number>(urls()[0]!, "CLUSTER", "KEYSLOT", channel))
  }
})

test("messages follow a channel whose hash slot is moved to another server", async () => {
  const { nodes, received } = await senderAndReceiver("room")
  const channel = subjectNames("rollcall").topic("room")
  const [source, target] = await ownerAndAnother(channel)
  await moveSlot(channel, source, target)
  await expect
    .poll(() => {
      nodes[0]!.publish("room", Uint8Array.of(2))
      return received
    })
    .toContain(2)
  expect(await subscribersOf(target, channel)).toBe(1)
  for (const node of nodes) await node.close()
})

test("a channel whose hash slot no server accepts disconnects its nodes, until one accepts it", async () => {
  const { nodes, received } = await senderAndReceiver("hall")
  const channel = subjectNames("rollcall").topic("hall")
  const [source, target] = await ownerAndAnother(channel)
  const [sourceId, targetId] = await Promise.all([source, target].map((url) => ask<string>(url, "CLUSTER", "MYID")))
  // Half of a move: the owner names the other server, which names the owner.
  await setSlot(source, channel, "NODE", targetId!)
  await expect.poll(() => nodes[1]!.problem).toMatch(/^MOVED/)
  await setSlot(target, channel, "IMPORTING", sourceId!)
  await setSlot(target, channel, "NODE", targetId!)
  await expect
    .poll(() => {
      nodes[0]!.publish("hall", Uint8Array.of(2))
      return received
    })
    .toContain(2)
  for (const node of nodes) await node.close()
})
