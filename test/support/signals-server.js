// A program that serves and is told to end; what it does about signals is in its argument.
import { createServer as createHttpServer } from "node:http"
import { createServer } from "rollcall/server"

const { servers = 1, attached = false, own, listen, ...limits } = JSON.parse(process.argv[2])

async function start() {
  const server = createServer({ logger: { warn() {}, error() {} }, ...limits })
  server.socket("/socket")
  server.channel("rooms:*", { join: () => ({ ok: { pid: process.pid } }) })
  if (!attached) return [server, (await server.listen({ port: 0, host: "127.0.0.1", ...listen })).port]
  const http = createHttpServer()
  await server.attach(http)
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve))
  return [server, http.address().port]
}

const started = []
for (let n = 0; n < servers; n += 1) started.push(await start())
if (own !== undefined) process.once(own, () => void started[0][0].close().then(() => process.exit(7)))
if (started[0][0].role !== "worker") process.send({ ports: started.map(([, port]) => port) })
