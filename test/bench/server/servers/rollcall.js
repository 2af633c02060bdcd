import { readFileSync } from "node:fs"
import { createServer as createSecureServer } from "node:https"
import { ipc } from "rollcall/pubsub"
import { createServer, growingWindow } from "rollcall/server"
import { startOptions } from "../child.js"
import { serveMeasurements } from "./stats.js"

let errors = 0
const logger = { warn: () => (errors += 1), error: () => (errors += 1) }
// With `node`, the process is a node of a cluster. With `workers`, it is the primary and forks them, or one of them.
const { port: requestedPort = 0, node, workers, isGrowing = false, isSecure = false, ...options } = startOptions()
if (isGrowing) options.presenceWindowMs = growingWindow()
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

server.channel("big:*", {
  join(_topic, params, channel) {
    channel.assigns.watches = params.watches === true
    channel.assigns.counts = params.presence_count === true
    return { ok: {} }
  },
  joined(channel) {
    // Those who only watch are in the room already: see `fill`.
    if (!channel.assigns.watches) presence.track(channel, channel.assigns.user, { online_at: "1795459422" })
    if (!channel.assigns.watches || channel.assigns.counts) presence.pushState(channel)
  },
})

/** Fills a room with users, before clients watch it: otherwise each of them would get the joins of all others. */
const fill = ({ topic, count }) => {
  for (let at = 0; at < count; at += 1)
    presence.track({ topic, pid: `${topic} ${at}` }, `v${at}`, { online_at: "1795459422" })
  return Object.keys(presence.list(topic)).length
}

/** Fills many rooms with five users each. */
const fillRooms = ({ rooms }) => {
  for (let room = 0; room < rooms; room += 1) fill({ topic: `people:${room}`, count: 5 })
  return server.stats().trackerRows
}

/** Returns the number of presences and of their metas in each room. */
const presences = ({ rooms }) =>
  Array.from({ length: rooms }, (_, room) => {
    const entries = Object.values(presence.list(`people:${room}`))
    return [entries.length, entries.reduce((sum, { metas }) => sum + metas.length, 0)]
  })

/** Listens with TLS, by the certificate of the tests. Resolves to the port. */
async function listenSecurely() {
  const pem = (name) => readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url))
  const http = createSecureServer({ cert: pem("cert"), key: pem("key") })
  await server.attach(http)
  await new Promise((resolve) => http.listen(requestedPort, "127.0.0.1", () => resolve(undefined)))
  return /** @type {import("node:net").AddressInfo} */ (http.address())
}

const { port } = await (isSecure
  ? listenSecurely()
  : server.listen({ port: requestedPort, host: "127.0.0.1", workers }))
serveMeasurements(port, () => errors, { presences, fill, fillRooms, counters: () => server.stats().counters })
