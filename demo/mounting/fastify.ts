// Serves Fastify's routes and Rollcall's sockets on one port.
import { fastify } from "fastify"
import { createServer } from "rollcall/server"

const app = fastify()
app.get("/hello", () => "hello from Fastify")

export const server = createServer()
server.socket("/live/socket")
server.channel("rooms:*", { join: () => ({ ok: {} }) })

// Listen on one address. For "localhost", Fastify opens a second HTTP server, to which the sockets are not attached.
export const http = app.server
await server.attach(http)
await app.listen({ port: Number(process.env["PORT"] ?? 4000), host: "0.0.0.0" })
