import { createServer } from "rollcall/server"
import { pages } from "./pages.js"
import { serveRooms, type Visitor } from "./room/channel.js"
import { serveServices } from "./services/channel.js"

const server = createServer<Visitor>()

server.socket("/socket", { connect: ({ params: { userId } }) => ({ userId: userId ? String(userId) : undefined }) })
serveRooms(server)
serveServices(server)

const port = Number(process.env["PORT"] || 4000)
try {
  const { url } = await server.listen({ port, request: pages })
  console.log(`Open ${url} in two browsers. Press Ctrl-C to stop the server.`)
} catch (error) {
  console.error(`${(error as Error).message}\nTo use another port, run: PORT=4001 npm run demo`)
  process.exitCode = 1
}
