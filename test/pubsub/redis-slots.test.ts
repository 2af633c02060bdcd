import { createClient } from "redis"
import { afterAll, beforeAll, expect, test } from "vitest"
import { redis } from "../../src/pubsub/redis.ts"
import { slotOf } from "../../src/pubsub/redis-slots.ts"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { clusteredServers, type RedisTopology } from "../support/redis-topologies.ts"

let topology: RedisTopology

beforeAll(async () => {
  topology = await clusteredServers()
})
afterAll(() => topology.close())

const urls = (): string[] =>
  (topology.options as { cluster: { rootNodes: { url: string }[] } }).cluster.rootNodes.map(({ url }) => url)

async function ask<Answer>(url: string, ...command: string[]): Promise<Answer> {
  const client = await createClient({ url }).connect()
  try {
    return (await client.sendCommand(command)) as Answer
  } finally {
    client.destroy()
  }
}

test("a channel has the hash slot that Redis computes", async () => {
  expect(slotOf("123456789")).toBe(12_739)
  const { topic, node } = subjectNames("rollcall")
  for (const channel of ["", topic("rooms:1"), topic("räume: #1"), node("web-1")]) {
    expect(slotOf(channel)).toBe(await ask<number>(urls()[0]!, "CLUSTER", "KEYSLOT", channel))
  }
})

test("messages follow a channel whose hash slot is moved to another server", async () => {
  const nodes = await Promise.all([redis(topology.options), redis(topology.options)])
  const [sender, receiver] = nodes
  const received: number[] = []
  await receiver.subscribe("room", (bytes) => void received.push(bytes[0]!))
  sender.publish("room", Uint8Array.of(1))
  await expect.poll(() => received).toEqual([1])
  const channel = subjectNames("rollcall").topic("room")
  const masters = urls().slice(0, 3)
  const listens = (url: string): Promise<[string, number]> => ask(url, "PUBSUB", "SHARDNUMSUB", channel)
  const counts = await Promise.all(masters.map(async (url) => Number((await listens(url))[1])))
  const target = masters[counts.indexOf(0)]!
  const id = await ask<string>(target, "CLUSTER", "MYID")
  // The new owner first. The others would refuse it, and take the slot back.
  for (const url of [target, ...masters.filter((other) => other !== target)]) {
    await ask(url, "CLUSTER", "SETSLOT", `${slotOf(channel)}`, "NODE", id)
  }
  await ask(target, "CLUSTER", "BUMPEPOCH")
  await expect
    .poll(() => {
      sender.publish("room", Uint8Array.of(2))
      return received
    })
    .toContain(2)
  expect(Number((await listens(target))[1])).toBe(1)
  for (const node of nodes) await node.close()
})
