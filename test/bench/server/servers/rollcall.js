import { ipc } from "rollcall/pubsub"
import { createServer } from "rollcall/server"
import { startOptions } from "../child.js"
import { serveMeasurements } from "./stats.js"

let errors = 0
const logger = { warn: () => (errors += 1), error: () => (errors += 1) }
// With `node`, the process is a node of a cluster. With `workers`, it is the primary and forks them, or one of them.
const { port: requestedPort = 0, node, workers, ...options } = startOptions()
const server = createServer({ logger, ...(node && { pubsub: await ipc({ node }) }), ...options })
const { presence } = server

server.socket("/socket", { connect: ({ params }) => ({ user: params.user }) })
server.channel("room:*", {
  join: () => ({ ok: {} }),
  on: {
    echo: (payload) => ({ ok: payload }),
    shout: (payload, channel) => channel.broadcast("shout", payload),
  },
})
server.channel("people:*", {
  join: () => ({ ok: {} }),
  joined(channel) {
    presence.track(channel, channel.assigns.user, { online_at: "1795459422" })
    channel.push("presence_state", presence.list(channel.topic))
  },
  on: { presence_update: (payload, channel) => presence.handleUpdate(channel, payload) },
})

/** Returns the number of presences and of their metas in each room. */
const presences = ({ rooms }) =>
  Array.from({ length: rooms }, (_, room) => {
    const entries = Object.values(presence.list(`people:${room}`))
    return [entries.length, entries.reduce((sum, { metas }) => sum + metas.length, 0)]
  })

const { port } = await server.listen({ port: requestedPort, host: "127.0.0.1", workers })
serveMeasurements(port, () => errors, { presences })
