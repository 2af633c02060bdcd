// Clients of `ws`, which inflate what they receive and compress all that they send if the server agrees.
import { WebSocket } from "ws"

/** @type {WebSocket[]} */
const sockets = []

/** Connects clients that offer to compress. */
export async function offering({ port, count }) {
  const url = (at) => `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&user=c${at}`
  for (let at = 0; at < count; at += 50) {
    const opened = Array.from({ length: Math.min(50, count - at) }, async (_, index) => {
      const socket = new WebSocket(url(at + index), { perMessageDeflate: { threshold: 0 } })
      sockets.push(socket)
      await new Promise((resolve, reject) => socket.on("open", () => resolve(undefined)).on("error", reject))
    })
    await Promise.all(opened)
  }
  return {}
}

/** Lets all clients join one room at once. Resolves when each one has the state. */
export async function offeredStorm() {
  await Promise.all(
    sockets.map((socket) => {
      const got = new Promise((resolve) => {
        socket.on("message", (data) => {
          if (String(/** @type {Buffer} */ (data).subarray(0, 60)).includes("presence_state")) resolve(undefined)
        })
      })
      socket.send('["1","1","people:0","phx_join",{}]')
      return got
    }),
  )
  return { messages: sockets.length }
}
