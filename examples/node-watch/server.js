import { createServer } from "rollcall/server"

const server = createServer()
server.socket("/socket", { connect: ({ params: { userId } }) => typeof userId === "string" && { userId } })
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["name"],
  presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
})
const { url } = await server.listen(process.env.PORT ?? 4000)
console.log(`listens on ${url}`)
