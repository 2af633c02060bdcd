import { afterEach, expect, test } from "vitest"
import { WebSocket } from "ws"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, ClusterNode } from "../support/cluster.ts"
import { disconnectAll, officialSocket, Presence, reply } from "../support/phoenix-client.ts"

// Three server processes, one of which is told to end: its clients, the official ones, go to the others.
const NAMES = ["ada", "bob", "cy", "dan", "eve"]
/** So long that nothing is seen because a node was silent. */
const PATIENT = { broadcastPeriodMs: 1_500, downPeriodMs: 600_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster

afterEach(async () => {
  disconnectAll()
  await cluster?.close()
})

/** A way in to whichever nodes there are, in turn, as a balancer is: those that take nobody any more are not among them. */
function balancer(nodes: Set<ClusterNode>) {
  let turn = 0
  return class extends WebSocket {
    constructor(address: string) {
      turn += 1
      const { host } = new URL([...nodes][turn % nodes.size]?.url ?? address)
      super(address.replace("balancer", host))
    }
  }
}

test("the clients of a node that is told to end are on the others soon, each there once, and its people leave at once", async () => {
  cluster = await startCluster("ipc", PATIENT)
  const one = await cluster.start("one", { drainBatch: 1, drainIntervalMs: 500 })
  const nodes = new Set([one])
  const transport = balancer(nodes)
  const movers = await Promise.all(
    NAMES.map(async (name) => {
      const socket = officialSocket("ws://balancer", { name }, { transport })
      const channel = socket.channel("rooms:1", {})
      const presence = new Presence(channel)
      await reply(channel.join())
      return { socket, sees: () => presence.list((key: string) => key).sort() }
    }),
  )
  const others = [await cluster.start("two"), await cluster.start("three")]
  const watcher = await cluster.join(others[0] as ClusterNode, "watcher")
  await expect.poll(watcher.sees).toEqual([...NAMES, "watcher"])

  nodes.clear()
  for (const node of others) nodes.add(node)
  const allGone = new Promise<number>((resolve) => {
    watcher.room.onChange(() => {
      // One client has been told by then, and the last is told two seconds later.
      const gone = new Set(watcher.changes.filter(({ type }) => type === "leave").map(({ key }) => key))
      if (gone.size === NAMES.length) resolve(movers.filter(({ socket }) => socket.isConnected()).length)
    })
  })
  const ended = one.end("SIGTERM")
  expect(await allGone).toBeGreaterThan(0)
  await ended

  for (const { sees } of [...movers, watcher]) await expect.poll(sees).toEqual([...NAMES, "watcher"])
  for (const name of NAMES) {
    expect(watcher.changes.filter(({ key }) => key === name).map(({ type }) => type)).toEqual(["join", "leave", "join"])
    expect(watcher.room.get(name)?.metas).toHaveLength(1)
  }
  expect(new Set(NAMES.map((name) => watcher.room.get(name)?.metas[0].on))).toEqual(new Set(["two", "three"]))
})
