import { randomBytes, randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import express from "express"
import { createServer, tokens } from "rollcall/server"

// In production: 32 bytes or more from your secret store, the same on all machines.
const { sign, verify } = await tokens({ secret: process.env.SECRET ?? randomBytes(32).toString("hex") })

// --- Your own login: sessions in a cookie. Yours checks a password, or asks a provider.

/** Who is signed in, by the secret of the cookie. */
const sessions = new Map()
const cookieOf = (request) => /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1]

const app = express()
app.use(express.urlencoded())
app.get("/", (request, response) =>
  response.sendFile(sessions.has(cookieOf(request)) ? "lobby.html" : "sign-in.html", { root: "page" }),
)
app.use(express.static("page"))
app.get("/rollcall.min.js", (_request, response) =>
  response.sendFile(fileURLToPath(import.meta.resolve("rollcall/rollcall.min.js"))),
)
app.post("/sign-in", (request, response) => {
  const name = String(request.body.name ?? "").trim()
  if (name === "") return response.redirect("/")
  const cookie = randomBytes(32).toString("base64url")
  sessions.set(cookie, { id: randomUUID(), name: name.slice(0, 40) })
  response.cookie("session", cookie, { httpOnly: true, sameSite: "lax", secure: request.secure }).redirect("/")
})
app.post("/sign-out", (request, response) => {
  const cookie = cookieOf(request)
  const user = sessions.get(cookie)
  sessions.delete(cookie)
  if (user) server.disconnect(user.id) // in all tabs, at once
  response.clearCookie("session").redirect("/")
})

// --- The token: the page fetches one at each attempt to connect.

app.get("/token", async (request, response) => {
  const user = sessions.get(cookieOf(request))
  if (!user) return response.status(401).send("signed out")
  response.send(await sign({ sub: user.id, name: user.name }))
})

// --- The room.

const server = createServer()
server.socket("/socket", {
  async connect({ authToken }) {
    const { sub, name, exp } = await verify(authToken) // a forged or expired token is refused
    return { userId: sub, name, expiresAt: exp * 1000 }
  },
  id: ({ assigns }) => assigns.userId, // for server.disconnect
})
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["color"],
  presence: ({ assigns: { userId, name } }, me) => ({ key: userId, meta: { ...me, name } }), // the name is the token's
})

const { url } = await server.listen({ port: process.env.PORT ?? 4000, request: app })
console.log(`listens on ${url}`)
