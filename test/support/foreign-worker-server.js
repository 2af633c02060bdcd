// A program that has a cluster worker of its own, beside those of its server. Its argument is how the server ends:
// "close" closes it, "fail" makes it listen on a port that is in use. It reports whether its own worker is alive after
// that.
import cluster from "node:cluster"
import { once } from "node:events"
import { createServer as createNetServer } from "node:net"
import { createServer } from "rollcall/server"

if (process.env.FOREIGN === "yes") {
  process.send?.("running")
  process.on("message", () => process.send?.("alive"))
} else {
  const server = createServer({ logger: { warn() {}, error() {} } })
  if (server.role === "worker") await server.listen(Number(process.env.PORT)).catch(() => process.exit(1))
  else await runPrimary(server)
}

async function runPrimary(server) {
  const foreign = cluster.fork({ FOREIGN: "yes" })
  const dead = once(foreign, "exit").then(() => ["dead"])
  await once(foreign, "message")
  const blocker = createNetServer()
  if (process.argv[2] === "fail") {
    blocker.listen(0)
    await once(blocker, "listening")
    process.env.PORT = String(/** @type {import("node:net").AddressInfo} */ (blocker.address()).port)
  } else process.env.PORT = "0"

  const listening = server.listen({ port: 0, workers: 1, operations: 0 }).catch((error) => error)
  const { operations } = await listening
  const ready = operations === undefined ? undefined : await untilReady(operations)
  await server.close()
  foreign.send("ping", () => undefined)
  const [state] = await Promise.race([once(foreign, "message"), dead])
  process.send?.({ foreign: state, ready, failed: operations === undefined })
  foreign.kill("SIGKILL")
  blocker.close()
  process.disconnect()
}

/** Asks until the server is ready: a worker that has not answered for a second counts as not ready. */
async function untilReady(operations) {
  for (;;) {
    const answer = await (await fetch(`${operations}/ready`)).json()
    if (answer.ready === true) return answer
  }
}
