// Measures how long three server processes take to show the same users, on each engine, with the default settings; and
// prints the figures that were measured for two Phoenix nodes.
// Run after a build: node test/bench/cluster.js [ipc] [redis] [nats]
import { fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { connect } from "rollcall"
import { relay } from "rollcall/pubsub"
import { WebSocket } from "ws"
import { natsServer, redisServer } from "../support/engine.js"

const engines = process.argv.length > 2 ? process.argv.slice(2) : ["ipc", "redis", "nats"]
const ROUNDS = 5
/** Rounds of the figures that need a down period. */
const LONG_ROUNDS = 3

async function cluster(engineName) {
  const engine = await { ipc: () => undefined, redis: redisServer, nats: natsServer }[engineName]()
  await engine?.start()
  const workers = relay()
  const children = new Set()
  const connections = []
  return {
    engine,
    async start(node) {
      const options = { engine: engineName, url: engine?.url, node }
      const child = fork("test/support/cluster-node.js", [JSON.stringify(options)], { serialization: "advanced" })
      children.add(child)
      if (engine === undefined) workers.add(child)
      const url = await new Promise((resolve) => {
        child.on(
          "message",
          (/** @type {any} */ message) => message.listening !== undefined && resolve(message.listening),
        )
      })
      return {
        url,
        kill: (signal) => child.kill(signal),
        /** Resolves when the process reports that it is connected to its engine again. */
        async connected() {
          for (;;) if ((await once(child, "message"))[0].connected) return
        },
      }
    },
    async join({ url }, name) {
      const connection = connect(`${url.replace("http", "ws")}/socket`, { params: { name }, transport: WebSocket })
      connections.push(connection)
      const room = connection.room("rooms:1")
      await room.joined
      return { connection, room }
    },
    async close() {
      for (const connection of connections) connection.disconnect()
      for (const child of children) child.kill("SIGKILL")
      await engine?.kill()
    },
  }
}

/** Resolves, once `holds` is true of the room, to the milliseconds from the call until then. */
function until(room, holds) {
  const started = performance.now()
  return new Promise((resolve) => {
    const look = () => {
      if (!holds(room)) return
      undo()
      resolve(performance.now() - started)
    }
    const undo = room.subscribe(look)
    look()
  })
}

async function measure(engineName) {
  /** @type {Record<string, number[]>} */
  const figures = { join: [], leave: [], SIGKILL: [], SIGTERM: [], restart: [], stopped: [], engine: [] }
  for (let round = 0; round < ROUNDS; round += 1) {
    const nodes = await cluster(engineName)
    const [one, two] = [await nodes.start("one"), await nodes.start("two")]
    const ada = await nodes.join(one, "ada")
    const bob = await nodes.join(two, "bob")
    figures.join.push(await until(ada.room, (room) => room.get("bob") !== undefined))
    bob.connection.disconnect()
    figures.leave.push(await until(ada.room, (room) => room.get("bob") === undefined))
    for (const signal of ["SIGKILL", "SIGTERM"]) {
      const node = await nodes.start(`three-${signal}`)
      const cy = await nodes.join(node, "cy")
      await until(ada.room, (room) => room.get("cy") !== undefined)
      node.kill(signal)
      figures[signal].push(await until(ada.room, (room) => room.get("cy") === undefined))
      cy.connection.disconnect()
    }
    // Measured from when the node listens; it is connected to its engine before that.
    const again = await nodes.start("four")
    const dan = await nodes.join(again, "dan")
    figures.restart.push(await until(dan.room, (room) => room.get("ada") !== undefined))
    if (round < LONG_ROUNDS) await measureOutages(nodes, [one, two], ada, figures)
    await nodes.close()
  }
  return figures
}

/** Suspends a node for longer than the down period, then restarts the engine; users join and leave meanwhile. */
async function measureOutages(nodes, [one, two], ada, figures) {
  const bob = await nodes.join(two, "bob again")
  const sees =
    (...names) =>
    (room) =>
      names.every((name) => room.get(name) !== undefined)
  await until(ada.room, sees("bob again"))
  two.kill("SIGSTOP")
  await until(ada.room, (room) => !sees("bob again")(room))
  const eve = await nodes.join(one, "eve")
  await sleep(1_000)
  two.kill("SIGCONT")
  figures.stopped.push(
    Math.max(...(await Promise.all([until(ada.room, sees("bob again")), until(bob.room, sees("ada", "eve"))]))),
  )
  if (nodes.engine === undefined) return
  await nodes.engine.kill()
  eve.connection.disconnect()
  // Both nodes have the topic already, so that these joins do not wait for the engine.
  await Promise.all([nodes.join(one, "fay"), nodes.join(two, "gus")])
  const back = Promise.all([one.connected(), two.connected()])
  await nodes.engine.start()
  await back
  const agreed = (room) => sees("fay", "gus", "bob again")(room) && room.get("eve") === undefined
  figures.engine.push(Math.max(...(await Promise.all([ada, bob].map(({ room }) => until(room, agreed))))))
}

const PHOENIX = { join: "50–1 500", leave: "50–1 500", SIGKILL: "30 200–31 500", SIGTERM: "31 400", restart: "16 500" }
const MEANING = {
  join: "a join is seen on another node",
  leave: "a leave is seen on another node",
  SIGKILL: "after `kill -9` of a node: its users have left on another node",
  SIGTERM: "after SIGTERM of a node: its users have left on another node",
  restart: "a new node shows the users of the other nodes",
  stopped: "after a node was suspended for longer than the down period: all nodes agree",
  engine: "after an engine outage with joins and leaves, from when both nodes have reconnected: all nodes agree",
}

const results = {}
for (const engine of engines) results[engine] = await measure(engine)
const cell = (times) => {
  if (times.length === 0) return "–"
  const sorted = times.toSorted((a, b) => a - b)
  return `${Math.round(sorted[0])}–${Math.round(sorted.at(-1))}`
}
console.log(`| ms, ${ROUNDS} runs | ${engines.join(" | ")} | two Phoenix nodes |`)
console.log(`| --- |${" ---: |".repeat(engines.length + 1)}`)
for (const [name, meaning] of Object.entries(MEANING)) {
  console.log(
    `| ${meaning} | ${engines.map((engine) => cell(results[engine][name])).join(" | ")} | ${PHOENIX[name] ?? "–"} |`,
  )
}
process.exit()
