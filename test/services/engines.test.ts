import type { ChildProcess } from "node:child_process"
import { relay, type PubSub } from "../../src/pubsub/index.ts"
import { nats } from "../../src/pubsub/nats.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { PATIENT } from "../contracts/pubsub.ts"
import { servicesContract } from "../contracts/services.ts"
import { natsServer, redisServer } from "../support/engine.js"
import { forkWorker, ipcNode } from "../support/ipc-node.ts"

const [redisEngine, natsEngine] = [await redisServer(), await natsServer()]

servicesContract("over Redis", {
  start: () => redisEngine.start(),
  stop: () => redisEngine.kill(),
  join: (node) => redis({ ...PATIENT, url: redisEngine.url, node }),
})
servicesContract("over NATS", {
  start: () => natsEngine.start(),
  stop: () => natsEngine.kill(),
  join: (node) => nats({ ...PATIENT, url: natsEngine.url, node }),
})

let workers: Record<string, ChildProcess>
/** The ends of the bus are in two worker processes, which this process remote-controls. */
servicesContract("between worker processes", {
  async start() {
    workers = { caller: forkWorker("advanced"), host: forkWorker("advanced") }
    const cluster = relay()
    for (const worker of Object.values(workers)) cluster.add(worker)
  },
  async stop() {
    for (const worker of Object.values(workers)) worker.kill("SIGKILL")
  },
  async join(name): Promise<PubSub> {
    const node = await ipcNode(workers[name]!, { ...PATIENT, node: name })
    return {
      node: name,
      status: "connected",
      async subscribe(topic, receive) {
        const undo = await node.subscribe(topic, receive)
        return () => void undo()
      },
      // What is sent after the end of the node is lost.
      publish: (topic, bytes) => void node.publish(topic, bytes).catch(() => undefined),
      send: (to, topic, bytes) => void node.send(to, topic, bytes).catch(() => undefined),
      onStatus: () => () => undefined,
      close: () => node.close(),
    }
  },
})
