// A node on an IPC channel that is simulated: its writes start to fail before the process notices that the primary is gone.
// Prints the node's status, the outcome of a subscription, and the dropped messages.
import { ipc } from "../../dist/pubsub/ipc.js"

let broken = false
process.send = (/** @type {any} */ message, /** @type {any[]} */ ...rest) => {
  const callback = rest.at(-1)
  process.nextTick(callback, broken ? new Error("write EPIPE") : null)
  if (broken) return false
  if (message[3] === "hello")
    setImmediate(() =>
      process.emit("message", /** @type {any} */ (["rollcall", 1, message[2], "welcome", true]), undefined),
    )
  return true
}

/** @type {string[]} */
const drops = []
const node = await ipc({ onDrop: (reason) => drops.push(reason) })
broken = true
const outcome = node
  .subscribe("room", () => {})
  .then(
    () => "subscribed",
    (error) => error.code,
  )
node.publish("room", new Uint8Array())
await new Promise((resolve) => setImmediate(resolve))
const { status } = node
await node.close()
console.log(JSON.stringify({ status, drops, subscription: await outcome }))
