// One node of the cluster: node node.js <name> <port> <url of NATS>
import { readFile } from "node:fs/promises"
import { createServer } from "rollcall/server"
import { nats } from "rollcall/pubsub/nats"

const [name, port, bus] = process.argv.slice(2)
const server = createServer({
  pubsub: await nats(bus, { node: name }),
  secret: process.env.SECRET, // the same on all nodes: each can then serve the long-poll sessions of the others
  trustProxy: "loopback", // nginx's X-Forwarded-* headers count, because nginx is on this machine
})

// Everybody can send any userId: an application takes it from a token. See the example express-sign-in.
server.socket("/socket", { connect: ({ params: { userId } }) => typeof userId === "string" && { userId } })
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["name", "color"],
  presence: ({ assigns }, me) => ({ key: assigns.userId, meta: { ...me, node: name } }),
})

const page = await readFile(new URL("page/index.html", import.meta.url))
const script = await readFile(new URL(import.meta.resolve("rollcall/rollcall.min.js")))
await server.listen({
  port,
  host: "127.0.0.1",
  keepAliveTimeout: 75_000, // longer than nginx keeps its connections to this node (60 s)
  request(request, response) {
    const isScript = request.url === "/rollcall.min.js"
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html")
    response.end(isScript ? script : page)
  },
})
console.log(`${name} is ready, with process id ${process.pid}`)
