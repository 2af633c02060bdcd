// A server that runs under a low limit of file descriptors. Its argument is "listen" or "attach". It sends its URLs, then
// at each message what it has counted and logged.
import { createServer as createHttpServer } from "node:http"
import { createServer } from "rollcall/server"

/** @type {unknown[][]} */
const logged = []
/** @param {unknown[]} entry */
const log = (...entry) => void logged.push(entry)
const server = createServer({ logger: { warn: log, error: log } })
server.socket("/socket")
const options = { port: 0, host: "127.0.0.1" }
if (process.argv[2] === "listen") {
  const { port, operations } = await server.listen({ ...options, operations: 0 })
  process.send?.({ port, operations })
} else {
  const http = createHttpServer()
  await server.attach(http)
  http.listen(0, "127.0.0.1", () => {
    process.send?.({ port: /** @type {import("node:net").AddressInfo} */ (http.address()).port })
  })
}
process.on("message", () => process.send?.({ counters: server.stats().counters, logged }))
