// Next's pages and Rollcall's sockets on one port.
import { randomBytes } from "node:crypto"
import next from "next"
import { createServer, tokens } from "rollcall/server"

// Without one, all are signed out by a restart. In production: the same on all machines, at least 32 bytes.
process.env.SECRET ??= randomBytes(32).toString("hex")
const port = Number(process.env.PORT ?? 3000)

const { verify } = await tokens({ secret: `socket ${process.env.SECRET}` })
const server = createServer()
server.socket("/socket", {
  async connect({ authToken }) {
    const { sub, name, exp } = await verify(authToken) // a forged or expired token is refused
    return { userId: sub, name, expiresAt: exp * 1000 }
  },
})
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["color"],
  presence: ({ assigns: { userId, name } }, me) => ({ key: userId, meta: { ...me, name } }), // the name is the token's
})

const app = next({ dev: process.argv[2] !== "production", port, hostname: "localhost" })
await app.prepare()
await server.listen({ port, request: app.getRequestHandler() })
console.log(`listens on http://localhost:${port}`)
