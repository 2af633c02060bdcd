// A program with an unusual use of workers, which its argument chooses. It sends what comes of it.
//
// - "two": two servers listen with workers; a message closes the first one, or its port, or the second one
// - "again": a server that listens with workers closes its port and listens again
// - "other-port": the workers listen on another port than the primary
// - "taken": the port is taken by another program
// - "inside": listens with workers in a cluster worker of its own
// - "alone": listens without workers in a cluster worker of its own
import cluster from "node:cluster"
import { createServer } from "rollcall/server"

const [, , use, port = "0"] = process.argv
/** @type {unknown[]} */
const warned = []
const logger = { warn: (/** @type {unknown} */ message) => warned.push(message), error() {} }
const newServer = () => {
  const server = createServer({ logger })
  server.socket("/socket")
  return server
}
/** @param {import("rollcall/server").ListenOptions} options */
const outcome = (server, options) =>
  server.listen({ host: "127.0.0.1", ...options }).then(
    ({ url }) => ({ url: url.replace(/\d+$/, "") }),
    ({ code, message }) => ({ code, message }),
  )

if (use === "two") {
  const [one, two] = [newServer(), newServer()]
  for (const server of [one, two]) server.channel("rooms:*", { join: () => ({ ok: { pid: process.pid } }) })
  const first = await one.listen({ port: 0, host: "127.0.0.1", workers: 1 })
  const second = await two.listen({ port: 0, host: "127.0.0.1", workers: 1 })
  if (one.role === "primary") {
    process.send?.({ ports: [first.port, second.port] })
    process.on("message", async (/** @type {string} */ what) => {
      if (what === "end") return void two.close().then(() => process.disconnect())
      await (what === "port" ? first.close() : one.close())
      process.send?.("closed")
    })
  }
} else if (use === "again") {
  const server = newServer()
  const options = { port: 0, host: "127.0.0.1", workers: 2 }
  const first = await server.listen(options)
  await first.close()
  const second = await server.listen(options)
  if (server.role === "primary") {
    const { status } = await fetch(`${second.url}/socket/longpoll?vsn=2.0.0`)
    await server.close()
    report(status)
  }
} else if (use === "other-port" || use === "taken") {
  const server = newServer()
  const other = use === "other-port" && server.role === "worker"
  const listened = await outcome(server, { port: other ? 0 : Number(port), workers: 2 })
  // A worker goes on, as one does whose program catches the error.
  if (server.role === "worker") setInterval(() => undefined, 1_000_000)
  else report(listened)
} else if (cluster.isPrimary) {
  cluster.fork().on("message", (message) => report(message))
} else {
  const server = newServer()
  const listened = await outcome(server, { port: 0, ...(use === "inside" && { workers: 2 }) })
  process.send?.({ listened, role: server.role, warned })
  await server.close()
  process.disconnect()
}

/** @param {unknown} message */
function report(message) {
  process.send?.(message)
  process.disconnect()
}
