import { createServer, relay } from "rollcall/server"

export const server = createServer()

// Everybody can send any userId: an application takes it from a token. See the example express-sign-in.
server.socket("/socket", { connect: ({ params: { userId } }) => typeof userId === "string" && { userId } })

server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  allow: ["name", "color", "typing"], // what a page may say of itself
  presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
  on: { chat: relay() }, // sends this event to the others
})
