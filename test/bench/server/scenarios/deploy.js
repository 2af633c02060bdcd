import { setTimeout as sleep } from "node:timers/promises"
import { relay } from "rollcall/pubsub"
import { freePort } from "../../../support/free-port.js"
import { Child } from "../child.js"

const TIMEOUT_MS = 120_000
const LOOK_AGAIN_MS = 20
/** Nobody says anything here, for as long as it takes. */
const PATIENT = { idleTimeoutMs: 3_600_000 }

/**
 * Three nodes are restarted one after the other, as a deploy does it: how long until everybody is back and all agree, from
 * the signal on. Fails when somebody is lost, or seen twice, or still seen though he has left for good.
 */
export async function deploy({ quick }) {
  const [count, rooms] = quick ? [2000, 20] : [10_000, 100]
  const bus = relay()
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const start = (index) =>
    Child.start("./servers/rollcall.js", { port: ports[index], node: `node ${index}`, ...PATIENT }, { bus })
  const nodes = await Promise.all(ports.map((_, index) => start(index)))
  const movers = await Child.start("./movers.js")
  const rows = []
  const total = { seconds: 0, server: 0, generator: 0 }
  try {
    const came = await movers.ask("connect", { ports, count, rooms, inFlight: 64, timeoutMs: TIMEOUT_MS })
    await agreement(nodes, came.expected)
    let away
    for (const [index, node] of nodes.entries()) {
      const others = nodes.filter((other) => other !== node)
      const before = { server: await cpuSeconds(others), generator: await cpuSeconds([movers]) }
      const started = performance.now()
      const seconds = () => (performance.now() - started) / 1000
      const moving = movers.ask("move", { from: ports[index], timeoutMs: TIMEOUT_MS })
      const ending = node.end()
      // Who cannot move is told of at once.
      await Promise.race([ending, moving])
      await ending
      const ended = seconds()
      nodes[index] = await start(index)
      const moved = await moving
      await agreement(nodes, moved.expected)
      const value = seconds()
      // What the ended node has used is not known any more.
      const server = (await cpuSeconds(nodes)) - before.server
      const cost = { seconds: value, server, generator: (await cpuSeconds([movers])) - before.generator }
      for (const [name, used] of Object.entries(cost)) total[name] += used
      const title = `deploy, ${count} people: node ${index + 1} of ${nodes.length} restarted, until all agree`
      rows.push({ title, unit: "s", figures: { rollcall: { value, ended, cost } } })
      away = moved.away
    }
    const title = `deploy, ${count} people: away between two nodes, p99`
    rows.push({ title, unit: "ms", figures: { rollcall: { value: away.p99, ...away, cost: total } } })
  } finally {
    await Promise.all([...nodes, movers].map((child) => child.stop()))
  }
  return rows
}

/** Waits until each node sees in each room as many people as there are, each with one meta. */
async function agreement(nodes, expected) {
  const started = performance.now()
  for (const node of nodes) {
    for (;;) {
      const seen = await node.ask("people", { rooms: expected.length })
      const isRight = ([people, metas], room) => people === expected[room] && metas === people
      if (seen.every(isRight)) break
      if (performance.now() - started > TIMEOUT_MS) {
        const wrong = seen.findIndex((room, index) => !isRight(room, index))
        const [people, metas] = seen[wrong]
        throw new Error(`a node sees ${people} people with ${metas} metas in a room of ${expected[wrong]}`)
      }
      await sleep(LOOK_AGAIN_MS)
    }
  }
}

async function cpuSeconds(children) {
  const stats = await Promise.all(children.map((child) => child.ask("stats")))
  const errors = stats.reduce((sum, each) => sum + (each.errors ?? 0), 0)
  if (errors > 0) throw new Error(`deploy: ${errors} errors in the servers`)
  return stats.reduce((sum, each) => sum + each.cpuSeconds, 0)
}
