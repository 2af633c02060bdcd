import { createServer } from "rollcall/server"
import { given } from "../child.js"
import { measured } from "./stats.js"

let errors = 0
const logger = { warn: () => (errors += 1), error: () => (errors += 1) }
const server = createServer({ logger, ...given() })
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

const { port } = await server.listen({ port: 0, host: "127.0.0.1" })
measured(port, () => errors)
