import { createServer, relay } from "rollcall/server"
import { pages } from "./pages.js"
import { serveServices } from "./services/channel.js"

interface Visitor {
  userId: string
}

const server = createServer<Visitor>()

server.socket("/socket", { connect: ({ params }) => ({ userId: params["userId"] || "guest" }) })

server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["status", "away"],
  presence: ({ assigns }, me) => ({
    key: assigns.userId,
    meta: { status: "available", ...me, since: Date.now() },
  }),
  on: {
    shout: (payload, channel) => channel.broadcast("shout", payload),
    cursor: relay(),
  },
})

serveServices(server)

const port = Number(process.env["PORT"] || 4000)
try {
  const { url } = await server.listen({ port, request: pages })
  console.log(`Open ${url} in two browsers. Press Ctrl-C to stop the server.`)
} catch (error) {
  console.error(`${(error as Error).message}\nTo use another port, run: PORT=4001 npm run demo`)
  process.exitCode = 1
}
