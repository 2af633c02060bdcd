import { createServer } from "node:http"
import { Server } from "socket.io"
import { serveMeasurements } from "./stats.js"

const http = createServer()
const io = new Server(http, { transports: ["websocket"], serveClient: false, pingInterval: 3_600_000 })
io.on("connection", (socket) => {
  socket.on("join", (room, answer) => {
    socket.data.room = room
    void socket.join(room)
    answer()
  })
  socket.on("echo", (payload, answer) => answer(payload))
  socket.on("shout", (payload) => io.to(socket.data.room).emit("shout", payload))
})
http.listen(0, "127.0.0.1", () =>
  serveMeasurements(/** @type {import("node:net").AddressInfo} */ (http.address()).port),
)
