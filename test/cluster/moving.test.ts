import { afterEach, expect, test } from "vitest"
import { WebSocket } from "ws"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, ClusterNode } from "../support/cluster.ts"
import { disconnectAll, officialSocket, Presence, reply } from "../support/phoenix-client.ts"

// Three server processes. One of them gets SIGTERM, and its clients, official phoenix.js sockets, move to the others.
const NAMES = ["ada", "bob", "cy", "dan", "eve"]
/** A down period that the test does not reach, so that every leave that it sees was sent by the leaving node. */
const NO_DOWN_PERIOD = { broadcastPeriodMs: 1_500, downPeriodMs: 600_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster

afterEach(async () => {
  disconnectAll()
  await cluster?.close()
})

/** Returns a WebSocket class that connects to the present nodes in turn, as a load balancer does. */
function balancer(nodes: Set<ClusterNode>) {
  let connections = 0
  return class extends WebSocket {
    constructor(address: string) {
      connections += 1
      const { host } = new URL([...nodes][connections % nodes.size]?.url ?? address)
      super(address.replace("balancer", host))
    }
  }
}

test("all users of a node that gets SIGTERM leave at once, before its clients are disconnected, and each joins once elsewhere", async () => {
  cluster = await startCluster("ipc", NO_DOWN_PERIOD)
  const one = await cluster.start("one", { drainBatch: 1, drainIntervalMs: 1_000 })
  const nodes = new Set([one])
  const transport = balancer(nodes)
  const movers = await Promise.all(
    NAMES.map(async (name) => {
      const socket = officialSocket("ws://balancer", { name }, { transport })
      const channel = socket.channel("rooms:1", {})
      const presence = new Presence(channel)
      await reply(channel.join())
      let disconnects = 0
      socket.onClose(() => (disconnects += 1))
      return { neverDisconnected: () => disconnects === 0, sees: () => presence.list((key: string) => key).sort() }
    }),
  )
  const others = [await cluster.start("two"), await cluster.start("three")]
  const watcher = await cluster.join(others[0] as ClusterNode, "watcher")
  await expect.poll(watcher.sees).toEqual([...NAMES, "watcher"])

  nodes.clear()
  for (const node of others) nodes.add(node)
  const connectedWhenAllHaveLeft = new Promise<number>((resolve) => {
    watcher.room.onChange(() => {
      // The node disconnects one client at once, and the last one four seconds later.
      const left = new Set(watcher.changes.filter(({ type }) => type === "leave").map(({ key }) => key))
      if (left.size === NAMES.length) resolve(movers.filter((mover) => mover.neverDisconnected()).length)
    })
  })
  const ended = one.end("SIGTERM")
  expect(await connectedWhenAllHaveLeft).toBeGreaterThan(0)
  await ended

  for (const { sees } of [...movers, watcher]) await expect.poll(sees).toEqual([...NAMES, "watcher"])
  for (const name of NAMES) {
    expect(watcher.changes.filter(({ key }) => key === name).map(({ type }) => type)).toEqual(["join", "leave", "join"])
    expect(watcher.room.get(name)?.metas).toHaveLength(1)
  }
  expect(new Set(NAMES.map((name) => watcher.room.get(name)?.metas[0].on))).toEqual(new Set(["two", "three"]))
})
