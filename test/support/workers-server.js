// A program that serves with workers: every process runs it, as `listen({ workers })` has it.
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { createServer } from "rollcall/server"

const run = promisify(execFile)
/** A program that a worker starts: what is it, and what does it know? */
const OFFSPRING = `
  import { createServer } from "rollcall/server"
  console.log(createServer().role, process.env.ROLLCALL_WORKER_SECRET)
`

const counted = {}
const meter = { count: (name, by) => (counted[name] = (counted[name] ?? 0) + by) }
const server = createServer({ meter, logger: { warn() {}, error() {} } })
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
const { url, operations } = await server.listen({ port: 0, host: "127.0.0.1", workers: 2, operations: 0 })
if (server.role === "primary") process.send?.({ url, operations })

/** What this process is, by several who ask, and what a process is that it starts. */
async function roles() {
  const another = createServer()
  const { workerSecret } = await import(new URL("./role.js?again", import.meta.resolve("rollcall/server")).href)
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", OFFSPRING])
  await another.close()
  return { another: another.role, loadedAgain: workerSecret() !== undefined, offspring: stdout.trim() }
}
