// A program that serves and is told to end, by a signal or by a message; what it does about signals is in its argument.
import cluster from "node:cluster"
import { createServer as createHttpServer } from "node:http"
import { createServer } from "rollcall/server"

const { servers = 1, attached = false, own, listen, ...limits } = JSON.parse(process.argv[2])

async function start() {
  const server = createServer({ logger: { warn() {}, error() {} }, ...limits })
  server.socket("/socket")
  server.channel("rooms:*", {
    join: () => ({ ok: { pid: process.pid } }),
    left: () => void process.send?.({ left: process.pid }),
  })
  if (!attached) return [server, (await server.listen({ port: 0, host: "127.0.0.1", ...listen })).port]
  const http = createHttpServer()
  await server.attach(http)
  await new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve(undefined)))
  return [server, /** @type {import("node:net").AddressInfo} */ (http.address()).port]
}

// The primary tells on what its workers tell, and how they end.
cluster.on("message", (worker, message) => {
  if (message.left !== undefined) process.send?.(message)
  if (message.bye !== undefined) worker.send("farewell")
})
cluster.on("exit", (_worker, code, signal) => process.send?.({ end: signal ?? code }))

const started = []
for (let n = 0; n < servers; n += 1) started.push(await start())
const [[first]] = started
if (own !== undefined) {
  process.once(own, async () => {
    await first.close()
    // Twice: what the primary had to say of that server being closed has come by then.
    for (let n = 0; first.role === "worker" && n < 2; n += 1) await farewell()
    process.exit(7)
  })
}
if (first.role !== "worker") {
  process.send?.({ ports: started.map(([, port]) => port) })
  process.on("message", () => void first.close().then(() => process.disconnect()))
}

/** What a program may still do before it ends: here, wait for its primary to answer. */
function farewell() {
  return new Promise((resolve) => {
    process.on("message", (message) => message === "farewell" && resolve(undefined))
    process.send?.({ bye: process.pid })
  })
}
