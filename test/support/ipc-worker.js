// A worker process whose nodes are driven by test/support/ipc-node.ts.
// It is plain JavaScript over the built package, as Node 20 cannot run TypeScript.
import { ipc } from "../../dist/pubsub/ipc.js"

const nodes = new Map()
const send = (...message) => process.send?.(["test", ...message])

const commands = {
  async join(id, options) {
    const node = await ipc({
      ...options,
      onDrop: (reason) => send("event", id, "drop", reason),
      onError: (error) => send("event", id, "error", String(error)),
    })
    nodes.set(id, { node, undos: new Map() })
    node.onStatus((status) => send("event", id, "status", status))
    node.onNodeDown((name) => send("event", id, "down", name))
    return node.node
  },
  async subscribe(id, subscription, topic, throws) {
    const { node, undos } = nodes.get(id)
    const receive = (bytes, from) => {
      send("event", id, "message", subscription, Buffer.from(bytes).toString("base64"), from)
      if (throws) throw new Error("the receiver failed")
    }
    undos.set(subscription, await node.subscribe(topic, receive))
  },
  undo: (id, subscription) => nodes.get(id).undos.get(subscription)(),
  publish: (id, topic, base64) => nodes.get(id).node.publish(topic, Buffer.from(base64, "base64")),
  send: (id, to, topic, base64) => nodes.get(id).node.send(to, topic, Buffer.from(base64, "base64")),
  close: (id) => nodes.get(id).node.close(),
}

process.on("message", async (message) => {
  if (!Array.isArray(message) || message[0] !== "test") return
  const [, call, command, ...args] = message
  try {
    send("return", call, await commands[command](...args))
  } catch (thrown) {
    const error = /** @type {{ code?: string, message?: string }} */ (thrown)
    send("throw", call, error.code, error.message)
  }
})
process.on("disconnect", () => process.exit())
