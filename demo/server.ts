import { networkInterfaces } from "node:os"
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
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  const address = addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address
  const phone = address === undefined ? "" : ` On a phone in the same network: ${url.replace("localhost", address)}`
  console.log(`Open ${url} in two browsers.${phone}\nPress Ctrl-C to stop the server.`)
} catch (error) {
  console.error(`${(error as Error).message}\nTo use another port, run: PORT=4001 npm run demo`)
  process.exitCode = 1
}
