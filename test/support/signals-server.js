// A program that serves until a signal or a message ends it. Its argument has the options of its server and of
// `listen`.
import cluster from "node:cluster"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "rollcall/server"

const { servers = 1, attached = false, own, other = false, listen, ...limits } = JSON.parse(process.argv[2])

async function start() {
  const server = createServer({ logger: { warn() {}, error() {} }, ...limits })
  server.socket("/socket")
  server.channel("rooms:*", {
    join: () => ({ ok: { pid: process.pid } }),
    // Without a callback, an error of sending would end a worker whose primary is gone.
    left: () => void process.send?.({ left: process.pid }, () => undefined),
  })
  if (!attached) return [server, (await server.listen({ port: 0, host: "127.0.0.1", ...listen })).port]
  const http = createHttpServer()
  await server.attach(http)
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)))
  return [server, /** @type {import("node:net").AddressInfo} */ (http.address()).port]
}

// The primary passes on what its workers report, and how they end.
cluster.on("message", (worker, message) => {
  if (message.left !== undefined) process.send?.(message)
  if (message.bye !== undefined) worker.send("farewell")
})
cluster.on("exit", (_worker, code, signal) => process.send?.({ end: signal ?? code }))

// A program may open ports of its own, also in its workers, and before it starts its servers.
if (other) {
  const http = createHttpServer((_request, response) => response.end("other"))
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)))
}
const started = []
for (let n = 0; n < servers; n += 1) started.push(await start())
const [[first]] = started
if (own !== undefined) {
  process.once(own, async () => {
    await first.close()
    // Twice, so that the messages which the primary sent about the closed server have arrived.
    for (let n = 0; first.role === "worker" && n < 2; n += 1) await farewell()
    process.exit(7)
  })
}
if (first.role !== "worker") {
  process.send?.({ ports: started.map(([, port]) => port) })
  process.on("message", () => void first.close().then(() => process.disconnect()))
}

/** An example of work that a program may do before it exits: it waits for an answer of its primary. */
function farewell() {
  return new Promise((resolve) => {
    process.on("message", (message) => message === "farewell" && resolve(undefined))
    process.send?.({ bye: process.pid })
  })
}
