// A worker process whose nodes the test drives: plain JavaScript, and the built package, since Node 20 strips no types.
import { ipc } from "../../dist/pubsub/ipc.js"

const nodes = new Map()
const tell = (...said) => process.send?.(["test", ...said])

const commands = {
  async join(id, options) {
    const node = await ipc({
      ...options,
      onDrop: (reason) => tell("event", id, "drop", reason),
      onError: (error) => tell("event", id, "error", String(error)),
    })
    nodes.set(id, { node, undos: new Map() })
    node.onStatus((status) => tell("event", id, "status", status))
    node.onNodeDown((name) => tell("event", id, "down", name))
    return node.node
  },
  async subscribe(id, subscription, topic, throws) {
    const { node, undos } = nodes.get(id)
    const receive = (bytes, from) => {
      tell("event", id, "message", subscription, Buffer.from(bytes).toString("base64"), from)
      if (throws) throw new Error("the receiver broke")
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
    tell("return", call, await commands[command](...args))
  } catch (thrown) {
    const error = /** @type {Error & { code?: string }} */ (thrown)
    tell("throw", call, error.code, error.message)
  }
})
process.on("disconnect", () => process.exit())
