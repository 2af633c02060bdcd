// Serves Hono's routes and Rollcall's sockets on one port.
import type { Server as HttpServer } from "node:http"
import { createAdaptorServer } from "@hono/node-server"
import { Hono } from "hono"
import { createServer } from "rollcall/server"

const app = new Hono()
app.get("/hello", (context) => context.text("hello from Hono"))

export const server = createServer()
server.socket("/live/socket")
server.channel("rooms:*", { join: () => ({ ok: {} }) })

// `serve` would listen at once. `createAdaptorServer` only creates the HTTP server, so that the sockets can be attached
// first.
export const http = createAdaptorServer({ fetch: app.fetch }) as HttpServer
await server.attach(http)
http.listen(Number(process.env["PORT"] ?? 4000))
