// One server process of a cluster. It is plain JavaScript over the built package, as Node 20 cannot run TypeScript.
import { createServer } from "rollcall/server"

const { engine, url, node, engineOptions = {}, ...options } = JSON.parse(process.argv[2])

const engines = {
  redis: async () => (await import("rollcall/pubsub/redis")).redis({ url, node, ...engineOptions }),
  nats: async () => (await import("rollcall/pubsub/nats")).nats({ url, node, ...engineOptions }),
  ipc: async () => (await import("rollcall/pubsub")).ipc({ node }),
}

const quiet = { warn() {}, error() {} }
const pubsub = await engines[engine]()
pubsub.onStatus((status) => process.connected && process.send?.({ connected: status === "connected" }))
const server = createServer({ pubsub, logger: quiet, ...options })
const { presence } = server
server.socket("/socket", { connect: ({ params }) => ({ name: params.name }) })
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  joined(channel) {
    presence.track(channel, channel.assigns.name, { on: node })
    channel.push("presence_state", presence.list(channel.topic))
  },
  on: {
    shout: (payload, channel) => channel.broadcast("shout", payload),
    presence_update: (payload, channel) => presence.handleUpdate(channel, payload),
  },
})
const { url: listening } = await server.listen({ port: 0, host: "127.0.0.1" })
process.send?.({ listening })
