// A program that serves with two workers: the primary and both workers run it. The primary sends its URLs, then its
// errors.
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { createServer } from "rollcall/server"

const run = promisify(execFile)
/** A program that a worker starts: it prints its role, and the secret if it can see it. */
const OFFSPRING = `
  import { createServer } from "rollcall/server"
  console.log(createServer().role, String(process.env.ROLLCALL_WORKER_SECRET))
`

const counted = {}
const meter = { count: (name, by) => (counted[name] = (counted[name] ?? 0) + by) }
const logger = {
  warn() {},
  error: (message, details) => server.role === "primary" && process.send?.({ message, details }),
}
// A node that is silent counts as down only after ten minutes: a test that sees users leave sees the death of their worker.
const server = createServer({ meter, logger, tracker: { downPeriodMs: 600_000 } })
const { presence } = server
server.socket("/socket", { connect: ({ params }) => ({ name: params.name }), id: ({ assigns }) => assigns.name })
server.channel("rooms:*", {
  join: () => ({ ok: { pid: process.pid } }),
  joined(channel) {
    presence.track(channel, channel.assigns.name, { pid: process.pid })
    channel.push("presence_state", presence.list(channel.topic))
  },
  on: {
    shout: (payload, channel) => channel.broadcast("shout", payload),
    kick: ({ id }) => server.disconnect(id),
    counted: () => ({ ok: counted }),
    roles: async () => ({ ok: await roles() }),
  },
})
// An idle connection stays open for ten minutes: a long poll breaks when a request meets the end of its connection.
const options = { port: 0, host: "127.0.0.1", workers: 2, operations: 0, keepAliveTimeout: 600_000 }
const { url, operations } = await server.listen(options)
if (server.role === "primary") process.send?.({ url, operations })

/** The roles of a second server, of a second copy of the module, and of a process that this one starts. */
async function roles() {
  const another = createServer()
  const { workerSecret } = await import(new URL("./role.js?again", import.meta.resolve("rollcall/server")).href)
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", OFFSPRING])
  await another.close()
  return { another: another.role, loadedAgain: workerSecret() !== undefined, offspring: stdout.trim() }
}
