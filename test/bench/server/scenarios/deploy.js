import { setTimeout as sleep } from "node:timers/promises"
import { relay } from "rollcall/pubsub"
import { freePort } from "../../../support/free-port.js"
import { Child } from "../child.js"

const TIMEOUT_MS = 120_000
const CHECK_EVERY_MS = 20
/** The clients send no heartbeats, so the idle timeout exceeds the scenario. */
const NO_IDLE_TIMEOUT = { idleTimeoutMs: 3_600_000 }

/**
 * Restarts three nodes one after the other, as a deploy does. Measures the time from the signal until all clients are back and
 * all nodes agree. Fails if a client is missing, appears twice, or still appears although it has left for good.
 */
export async function deploy({ quick }) {
  const [count, rooms] = quick ? [2000, 20] : [10_000, 100]
  const bus = relay()
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const start = (index) =>
    Child.start("./servers/rollcall.js", { port: ports[index], node: `node ${index}`, ...NO_IDLE_TIMEOUT }, { bus })
  const nodes = await Promise.all(ports.map((_, index) => start(index)))
  const clients = await Child.start("./reconnecting-clients.js")
  const rows = []
  const total = { seconds: 0, server: 0, generator: 0 }
  try {
    const connected = await clients.run("connect", { ports, count, rooms, inFlight: 64, timeoutMs: TIMEOUT_MS })
    await agreement(nodes, connected.expected)
    let away
    for (const [index, node] of nodes.entries()) {
      const others = nodes.filter((other) => other !== node)
      const before = { server: await cpuSeconds(others), generator: await cpuSeconds([clients]) }
      const started = performance.now()
      const seconds = () => (performance.now() - started) / 1000
      const moved = clients.run("move", { from: ports[index], timeoutMs: TIMEOUT_MS })
      const terminating = node.terminate()
      // A client that cannot reconnect fails the scenario at once.
      await Promise.race([terminating, moved])
      await terminating
      const ended = seconds()
      nodes[index] = await start(index)
      const result = await moved
      await agreement(nodes, result.expected)
      const value = seconds()
      // The CPU time of the restarted node is lost with its process.
      const server = (await cpuSeconds(nodes)) - before.server
      const cost = { seconds: value, server, generator: (await cpuSeconds([clients])) - before.generator }
      for (const [name, used] of Object.entries(cost)) total[name] += used
      const title = `deploy, ${count} clients: node ${index + 1} of ${nodes.length} restarted, until all agree`
      rows.push({ title, unit: "s", figures: { rollcall: { value, ended, cost } } })
      away = result.away
    }
    const title = `deploy, ${count} clients: away between two nodes, p99`
    rows.push({ title, unit: "ms", figures: { rollcall: { value: away.p99, ...away, cost: total } } })
  } finally {
    await Promise.all([...nodes, clients].map((child) => child.stop()))
  }
  return rows
}

/** Waits until each node has all clients of each room in its presences, each with one meta. */
async function agreement(nodes, expected) {
  const started = performance.now()
  for (const node of nodes) {
    for (;;) {
      const rooms = await node.run("presences", { rooms: expected.length })
      const isExpected = ([keys, metas], room) => keys === expected[room] && metas === keys
      if (rooms.every(isExpected)) break
      if (performance.now() - started > TIMEOUT_MS) {
        const wrong = rooms.findIndex((room, index) => !isExpected(room, index))
        const [keys, metas] = rooms[wrong]
        throw new Error(`expected ${expected[wrong]} presences in a room, got ${keys} with ${metas} metas`)
      }
      await sleep(CHECK_EVERY_MS)
    }
  }
}

async function cpuSeconds(children) {
  const stats = await Promise.all(children.map((child) => child.run("stats")))
  const errors = stats.reduce((sum, each) => sum + (each.errors ?? 0), 0)
  if (errors > 0) throw new Error(`deploy: ${errors} errors in the servers`)
  return stats.reduce((sum, each) => sum + each.cpuSeconds, 0)
}
