// One node of the chaos: a server process. With `workers` it is a primary with worker processes.
import { createServer } from "rollcall/server"
import { TIMING } from "./timing.js"

const { engine, url, node, workers } = JSON.parse(process.argv[2])
const engines = {
  redis: async () => (await import("rollcall/pubsub/redis")).redis({ url, node }),
  nats: async () => (await import("rollcall/pubsub/nats")).nats({ url, node }),
  workers: async () => undefined,
}
const { broadcastPeriodMs, downPeriodMs, permdownPeriodMs } = TIMING

process.on("disconnect", () => process.exit())
const report = (kind) => (error) => process.send?.({ fatal: `${node} ${kind}: ${error?.stack ?? error}` })
process.on("uncaughtException", report("uncaught exception"))
process.on("unhandledRejection", report("unhandled rejection"))

// Without its engine a node does not start. It is then started again.
const pubsub = await engines[engine]().catch(() => process.exit(3))
const server = createServer({
  ...(pubsub === undefined ? {} : { pubsub }),
  tracker: { broadcastPeriodMs, downPeriodMs, permdownPeriodMs },
  idleTimeoutMs: TIMING.idleMs,
  handshakeTimeoutMs: TIMING.closeMs,
  subscribeTimeoutMs: TIMING.subscribeMs,
  drainTimeoutMs: 2_000,
  logger: { warn() {}, error() {} },
})
const { presence } = server
server.socket("/socket", { connect: ({ params }) => ({ user: params["user"] ?? "nobody" }) })
server.channel("rooms:*", {
  join(_topic, params, channel) {
    Object.assign(channel.assigns, { status: params["status"] ?? "here" })
    return { ok: {} }
  },
  presence: ({ assigns }) => ({ key: String(assigns["user"]), meta: { status: assigns["status"] } }),
  on: { presence_update: (payload, channel) => presence.handleUpdate(channel, payload, { allow: ["status"] }) },
})
const listening = await server.listen({ port: 0, host: "127.0.0.1", ...(workers === undefined ? {} : { workers }) })

/** Returns what this node shows of some rooms, for a report of a disagreement. */
function shown(rooms) {
  return rooms.map((room) => Object.keys(presence.list(room)).sort().join(" "))
}

if (server.role !== "worker") {
  process.on("message", (/** @type {{ rooms: string[] }} */ { rooms }) => {
    process.send?.({ shown: shown(rooms), nodes: server.stats().nodes, bus: server.stats().bus })
  })
  process.send?.({ port: listening.port })
}
if (server.role === "primary") {
  const { default: cluster } = await import("node:cluster")
  const tell = () => {
    const pids = Object.values(cluster.workers ?? {}).map((worker) => worker?.process.pid)
    process.send?.({ workers: pids })
  }
  for (const event of ["online", "exit"]) cluster.on(event, tell)
  cluster.on("message", (_worker, message) => message?.fatal !== undefined && process.send?.(message))
  tell()
}
