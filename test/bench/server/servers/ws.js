import { WebSocketServer } from "ws"
import { serveMeasurements } from "./stats.js"

// The baseline: the smallest server that ws allows, without a protocol on top.
const SHOUT = "s".charCodeAt(0)
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 511 })
server.on("connection", (socket) => {
  socket.on("error", () => {})
  socket.on("message", (data) => {
    if (data[0] !== SHOUT) socket.send(data, { binary: false })
    else for (const client of server.clients) client.send(data, { binary: false })
  })
})
server.on("listening", () => serveMeasurements(/** @type {import("node:net").AddressInfo} */ (server.address()).port))
