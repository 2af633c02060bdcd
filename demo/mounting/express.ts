// Serves Express's routes and Rollcall's sockets on one port.
import { createServer as createHttpServer } from "node:http"
import express from "express"
import { createServer } from "rollcall/server"

const app = express()
app.get("/hello", (_request, response) => void response.send("hello from Express"))

export const server = createServer()
server.socket("/live/socket")
server.channel("rooms:*", { join: () => ({ ok: {} }) })

// Requests that are not for a socket go to Express.
export const http = createHttpServer(app)
await server.attach(http)
http.listen(Number(process.env["PORT"] ?? 4000))
