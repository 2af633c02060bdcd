// A node on an IPC channel that is simulated: its writes start to fail before the process notices that the primary is gone.
// Prints the node's status, and what became of a subscription and of a message.
import { ipc } from "../../dist/pubsub/ipc.js"

let broken = false
process.send = (message, _handle, _options, callback) => {
  if (broken) return process.nextTick(callback, new Error("write EPIPE"))
  process.nextTick(callback, null)
  if (message[3] === "hello") setImmediate(() => process.emit("message", ["rollcall", 1, message[2], "welcome", true]))
}

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
