// The primary and the workers of a real node:cluster; prints what the last worker heard of the first.
import cluster from "node:cluster"
import { ipc } from "../../dist/pubsub/ipc.js"
import { relay } from "../../dist/pubsub/relay.js"

if (cluster.isPrimary) {
  cluster.setupPrimary({ serialization: "advanced" })
  cluster.fork({ ROLE: "late" })
  relay(cluster)
  cluster.fork({ ROLE: "listens" }).on("message", (message) => {
    if (message === "ready") cluster.fork({ ROLE: "speaks" })
    if (typeof message !== "object" || message.heard === undefined) return
    console.log(JSON.stringify(message.heard))
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill()
  })
} else if (process.env.ROLE === "listens") {
  const node = await ipc({ node: "listener" })
  const heard = []
  node.onNodeDown((name) => process.send?.({ heard: [...heard, `${name} is down`] }))
  await node.subscribe("room", (bytes, from) => heard.push(`${from}: ${Buffer.from(bytes)}`))
  process.send?.("ready")
} else if (process.env.ROLE === "speaks") {
  const node = await ipc({ node: "speaker" })
  node.publish("room", Buffer.from("hello"))
  await node.close()
} else await ipc({ node: "late" })
