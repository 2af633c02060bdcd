// Joins a room from an ES module, and prints who comes and goes: node watch.js Ada
import { randomUUID } from "node:crypto"
import { connect } from "rollcall"
import { WebSocket } from "ws"

const url = process.env.SOCKET ?? "ws://localhost:4000/socket"
const connection = connect(url, { transport: WebSocket, params: { userId: randomUUID() } })
const room = connection.room("rooms:lobby", { me: { name: process.argv[2] ?? "Watcher" } })

room.onChange((changes) => {
  for (const { type, current, previous } of changes) console.log(type, (current ?? previous).metas[0].name)
})
process.once("SIGINT", () => connection.disconnect())
