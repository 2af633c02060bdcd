import { ipc } from "rollcall/pubsub"
import { createServer } from "rollcall/server"
import { given } from "../child.js"
import { measured } from "./stats.js"

let errors = 0
const logger = { warn: () => (errors += 1), error: () => (errors += 1) }
/** With a name it is a node of a cluster; with workers, the process of which this is one forks them. */
const { port: wanted = 0, node, workers, ...options } = given()
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

/** Of each room, how many people are seen in it and with how many metas. */
const people = ({ rooms }) =>
  Array.from({ length: rooms }, (_, room) => {
    const entries = Object.values(presence.list(`people:${room}`))
    return [entries.length, entries.reduce((sum, { metas }) => sum + metas.length, 0)]
  })

const { port } = await server.listen({ port: wanted, host: "127.0.0.1", workers })
measured(port, () => errors, { people })
