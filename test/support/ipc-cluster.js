// The primary and the workers of a real node:cluster. Prints what the subscriber received of the publisher.
import cluster from "node:cluster"
import { ipc } from "../../dist/pubsub/ipc.js"
import { relay } from "../../dist/pubsub/ipc-relay.js"

if (cluster.isPrimary) {
  cluster.setupPrimary({ serialization: "advanced" })
  cluster.fork({ ROLE: "idle" })
  relay(cluster)
  cluster.fork({ ROLE: "subscriber" }).on("message", (message) => {
    if (message === "ready") cluster.fork({ ROLE: "publisher" })
    if (typeof message !== "object" || message.received === undefined) return
    console.log(JSON.stringify(message.received))
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill()
  })
} else if (process.env.ROLE === "subscriber") {
  const node = await ipc({ node: "subscriber" })
  const received = []
  node.onNodeDown((name) => process.send?.({ received: [...received, `${name} is down`] }))
  await node.subscribe("room", (bytes, from) => received.push(`${from}: ${Buffer.from(bytes)}`))
  process.send?.("ready")
} else if (process.env.ROLE === "publisher") {
  const node = await ipc({ node: "publisher" })
  node.publish("room", Buffer.from("hello"))
  await node.close()
} else await ipc({ node: "idle" })
