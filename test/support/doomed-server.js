// A program whose workers end before they listen. Its argument is the signal or the exit code with which they end.
import { createServer } from "rollcall/server"

const [, , end] = process.argv
const server = createServer({ logger: { warn() {}, error() {} } })
if (server.role === "worker") {
  if (end.startsWith("SIG")) process.kill(process.pid, end)
  else process.exit(Number(end))
}
await server.listen({ port: 0, workers: 2 }).catch(({ code, message }) => process.send?.({ code, message }))
process.disconnect()
