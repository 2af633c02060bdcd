import { readFile } from "node:fs/promises"
import { createServer } from "rollcall/server"

const server = createServer()

// Everybody can send any userId: an application takes it from a token. See the example express-sign-in.
server.socket("/socket", { connect: ({ params: { userId } }) => typeof userId === "string" && { userId } })

server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["name", "color"], // what a page may say of itself
  presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
})

const page = await readFile(new URL("index.html", import.meta.url))
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
