import { afterEach, describe, expect, test } from "vitest"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, Member } from "../support/cluster.ts"
import { clusteredServers, twoServers, watchedServers } from "../support/redis-topologies.ts"
import type { RedisTopology } from "../support/redis-topologies.ts"

// Three server processes on several Redis servers, of which the one that carries the messages is killed.
const TRACKER = { broadcastPeriodMs: 1_500, downPeriodMs: 9_000, permdownPeriodMs: 1_200_000 }
/** After this time a server of a cluster, or one that sentinels watch, is replaced if it does not answer. */
const NODE_TIMEOUT_MS = 1_500

const TOPOLOGIES = {
  "the first of two addresses": twoServers,
  "the primary that sentinels name": () => watchedServers(NODE_TIMEOUT_MS),
  "a cluster, by sharded pub/sub": () => clusteredServers(NODE_TIMEOUT_MS),
  "a cluster, by ordinary pub/sub": async (): Promise<RedisTopology> => {
    const topology = await clusteredServers(NODE_TIMEOUT_MS)
    const { cluster } = topology.options as { cluster: object }
    return { ...topology, options: { cluster: { ...cluster, sharded: false } } }
  },
}

let cluster: Cluster | undefined
let topology: RedisTopology | undefined

afterEach(async () => {
  await cluster?.close()
  await topology?.close()
})

async function allSee(members: readonly Member[], names: readonly string[]): Promise<void> {
  for (const member of members) await expect.poll(member.sees).toEqual(names)
}

describe.each(Object.entries(TOPOLOGIES))("three processes on %s", (place, start) => {
  test("lose nobody when it is killed, keep no ghost, and show who joins and leaves meanwhile", async () => {
    topology = await start()
    cluster = await startCluster("redis", TRACKER, topology.options)
    const [one, two, three] = await Promise.all(["one", "two", "three"].map((name) => cluster!.start(name)))
    const ada = await cluster.join(one!, "ada")
    const bob = await cluster.join(two!, "bob")
    const cy = await cluster.join(three!, "cy")
    const dan = await cluster.join(three!, "dan")
    await allSee([ada, bob, cy, dan], ["ada", "bob", "cy", "dan"])
    const killedAt = performance.now()
    // A cluster has three primaries. This one carries the tracker's messages.
    await topology.killPrimary("rollcall-rollcall.t-tracker:presence:0")
    dan.connection.disconnect()
    const eve = await cluster.join(one!, "eve")
    await allSee([ada, bob, cy, eve], ["ada", "bob", "cy", "eve"])
    console.log(`${place}: all views are equal ${Math.round(performance.now() - killedAt)} ms after the kill`)
    const events = [ada, bob, cy].map(({ changes }) => changes.map(({ key, type }) => `${key} ${type}`))
    for (const seen of events) {
      expect(seen.filter((event) => event.endsWith("leave"))).toEqual(["dan leave"])
      expect(seen.filter((event) => event.endsWith("join")).length).toBe(new Set(seen).size - 1)
    }
  })
})

test("three processes on a primary that is suspended follow the sentinels to the next one, and lose nobody", async () => {
  topology = await watchedServers(NODE_TIMEOUT_MS)
  cluster = await startCluster("redis", TRACKER, topology.options)
  const [one, two, three] = await Promise.all(["one", "two", "three"].map((name) => cluster!.start(name)))
  const ada = await cluster.join(one!, "ada")
  const bob = await cluster.join(two!, "bob")
  const cy = await cluster.join(three!, "cy")
  await allSee([ada, bob, cy], ["ada", "bob", "cy"])
  const suspendedAt = performance.now()
  topology.suspendPrimary?.()
  bob.connection.disconnect()
  await allSee([ada, cy], ["ada", "cy"])
  console.log(`a suspended primary: all views are equal ${Math.round(performance.now() - suspendedAt)} ms later`)
  for (const { changes } of [ada, cy]) {
    expect(changes.filter(({ type }) => type === "leave").map(({ key }) => key)).toEqual(["bob"])
  }
})
