/** The faults of the chaos. Each is applied for a while, and then ended; what it has broken must heal by itself. */
import { signal } from "./children.js"

/**
 * @typedef {object} Fault
 * @property {string} name
 * @property {(context: Context) => Promise<void>} run applies the fault and ends it
 *
 * @typedef {object} Context
 * @property {import("./cluster.js").Cluster} cluster
 * @property {(from: number, to: number) => number} between a random number
 * @property {<T>(items: readonly T[]) => T} pick a random item
 * @property {(ms: number) => Promise<void>} pause
 */

/** Longer than the period after which a node is forgotten. */
const LONG_MS = 8_000

/** @type {(context: Context) => Promise<void>} */
async function restartAfterKill({ cluster, pick, between, pause }) {
  const node = pick(cluster.nodes)
  if (!node.isRunning) return
  await node.end("SIGKILL")
  await pause(between(0, LONG_MS))
  await node.start()
}

/** @type {(context: Context) => Promise<void>} */
async function restart({ cluster, pick, between, pause }) {
  const node = pick(cluster.nodes)
  if (!node.isRunning) return
  await node.end("SIGTERM")
  await pause(between(0, 2_000))
  await node.start()
}

/** @type {readonly Fault[]} */
const NODES = [
  { name: "kill -9 of a node", run: restartAfterKill },
  { name: "SIGTERM of a node", run: restart },
  {
    name: "SIGSTOP of a node",
    async run({ cluster, pick, between, pause }) {
      const node = pick(cluster.nodes)
      node.signal("SIGSTOP")
      await pause(between(200, LONG_MS))
      node.signal("SIGCONT")
    },
  },
]

/** @type {readonly Fault[]} */
const WORKERS = [
  {
    name: "kill -9 of a worker",
    async run({ cluster, pick }) {
      const pid = pick(cluster.nodes[0].workers)
      if (pid !== undefined) signal(pid, "SIGKILL")
    },
  },
  {
    name: "SIGTERM of a worker",
    async run({ cluster, pick }) {
      const pid = pick(cluster.nodes[0].workers)
      if (pid !== undefined) signal(pid, "SIGTERM")
    },
  },
  {
    name: "SIGSTOP of a worker",
    async run({ cluster, pick, between, pause }) {
      const pid = pick(cluster.nodes[0].workers)
      if (pid === undefined) return
      signal(pid, "SIGSTOP")
      await pause(between(200, LONG_MS))
      signal(pid, "SIGCONT")
    },
  },
  { name: "kill -9 of the primary", run: restartAfterKill },
  { name: "SIGTERM of the primary", run: restart },
]

/** @type {readonly Fault[]} */
const CLIENTS = [
  {
    name: "half-open: nothing of clients reaches a node",
    run: async ({ cluster, pick }) => cluster.front.swallow("up", pick(cluster.nodes).name),
  },
  {
    name: "half-open: nothing of a node reaches clients",
    run: async ({ cluster, pick }) => cluster.front.swallow("down", pick(cluster.nodes).name),
  },
  {
    name: "reset of all connections of clients",
    run: async ({ cluster }) => cluster.front.reset(),
  },
  {
    name: "delays between clients and nodes",
    run: (context) => delay(context.cluster.front, context),
  },
]

/** @type {readonly Fault[]} */
const ENGINE = [
  {
    name: "kill -9 of the engine",
    async run({ cluster, between, pause }) {
      await cluster.engine?.kill()
      await pause(between(0, LONG_MS))
      await cluster.engine?.start()
    },
  },
  {
    name: "SIGSTOP of the engine",
    async run({ cluster, between, pause }) {
      cluster.engine?.signal("SIGSTOP")
      await pause(between(500, LONG_MS))
      cluster.engine?.signal("SIGCONT")
    },
  },
  {
    name: "half-open: nothing of a node reaches the engine",
    run: async ({ cluster, pick }) => pick(cluster.nodes).engineLink?.swallow("up"),
  },
  {
    name: "half-open: nothing of the engine reaches a node",
    run: async ({ cluster, pick }) => pick(cluster.nodes).engineLink?.swallow("down"),
  },
  {
    name: "reset of a node's connection to the engine",
    run: async ({ cluster, pick }) => pick(cluster.nodes).engineLink?.reset(),
  },
  {
    name: "delays between a node and the engine",
    run: async (context) => {
      const link = context.pick(context.cluster.nodes).engineLink
      if (link !== undefined) await delay(link, context)
    },
  },
]

async function delay(link, { between, pause }) {
  link.delayMs = between(20, 1_500)
  await pause(between(1_000, LONG_MS))
  link.delayMs = 0
}

/** Returns the faults that can happen with an engine. @returns {readonly Fault[]} */
export function faultsOf(engine) {
  return engine === "workers" ? [...WORKERS, ...CLIENTS] : [...NODES, ...CLIENTS, ...ENGINE]
}
