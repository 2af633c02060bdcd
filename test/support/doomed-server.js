// A program whose workers end before they listen: by a signal, or with an exit code, as its argument says. With "hang",
// they neither end nor listen, and the primary closes its server.
import cluster from "node:cluster"
import { createServer } from "rollcall/server"

const [, , end] = process.argv
const server = createServer({ logger: { warn() {}, error() {} } })
if (server.role === "worker") {
  if (end === "hang") await new Promise(() => setInterval(() => undefined, 1_000_000))
  else if (end.startsWith("SIG")) process.kill(process.pid, end)
  else process.exit(Number(end))
}
/** @type {import("node:cluster").Worker[]} */
const forked = []
cluster.on("fork", (worker) => forked.push(worker))
const closed = end === "hang" && new Promise((resolve) => cluster.once("online", () => resolve(server.close())))
await server.listen({ port: 0, workers: 2 }).catch(({ code, message }) => process.send?.({ code, message }))
if (closed !== false) {
  await closed
  process.send?.({ alive: forked.filter((worker) => !worker.isDead()).length })
}
process.disconnect()
