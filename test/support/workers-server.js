// A program that serves with workers: every process runs it, as `listen({ workers })` has it.
import { createServer } from "rollcall/server"

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
  },
})
const { url, operations } = await server.listen({ port: 0, host: "127.0.0.1", workers: 2, operations: 0 })
if (server.role === "primary") process.send({ url, operations })
