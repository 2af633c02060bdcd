// A client process that disconnects while something is under way, or only leaves its room, and then has nothing more to do.
// node leaving-client.js <url> <push | buffered push | join | token | room>
// Exits with 1 if a timer of five seconds or more was what kept it alive. If a connection keeps it alive, it never exits.
import { WebSocket } from "ws"

const { setTimeout } = globalThis
let hasLeft = false
/** @param {(...args: any[]) => void} run @param {number | undefined} ms @param {any[]} args */
const watched = (run, ms = 0, ...args) =>
  setTimeout(() => {
    if (hasLeft && ms >= 5_000) process.exit(1)
    run(...args)
  }, ms)
globalThis.setTimeout = /** @type {typeof setTimeout} */ (/** @type {unknown} */ (watched))
const { connect } = await import("rollcall")

const [url = "", what] = process.argv.slice(2)
const transport = /** @type {import("rollcall").Transport} */ (/** @type {unknown} */ (WebSocket))
const authToken = what === "token" ? () => new Promise(() => {}) : undefined
const connection = connect(url, { transport, authToken, idleMs: 0 })
const room = connection.room(what === "join" ? "rooms:never" : "rooms:1")

const leave = () => {
  hasLeft = true
  if (what === "room") room.leave()
  else connection.disconnect()
}

if (what === "push") {
  await room.joined
  void room.push("never")
  room.update({ a: 1 })
  setTimeout(leave, 20)
} else if (what === "buffered push") {
  void room.push("never")
  leave()
} else if (what === "join") {
  connection.onStatus((status) => status === "open" && setTimeout(leave, 20))
} else {
  if (what === "room") await room.joined
  leave()
}
