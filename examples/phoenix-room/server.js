// The same room as the Elixir files, on Rollcall's server.
import { readFile } from "node:fs/promises"
import { createServer, relay } from "rollcall/server"

const server = createServer()
server.socket("/socket", { connect: ({ params: { userId } }) => typeof userId === "string" && { userId } })
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["name", "color", "status"],
  presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
  on: { wave: relay() },
})

const page = await readFile(new URL("page/index.html", import.meta.url))
const script = await readFile(new URL(import.meta.resolve("rollcall/rollcall.min.js")))
const { url } = await server.listen({
  port: process.env.PORT ?? 4000,
  request(request, response) {
    const isScript = request.url === "/rollcall.min.js"
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html")
    response.end(isScript ? script : page)
  },
})
console.log(`listens on ${url}`)
