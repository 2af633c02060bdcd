import type { ChildProcess } from "node:child_process"
import type { LivenessTiming } from "../../src/pubsub/liveness.ts"
import { relay, type PubSub } from "../../src/pubsub/index.ts"
import type { TestNodeOptions } from "../contracts/pubsub.ts"
import { forkWorker, ipcNode } from "../support/ipc-node.ts"

/** A bus between worker processes, one for each name. This process controls the ends from afar. */
export function workerBus(names: readonly string[], options: TestNodeOptions & LivenessTiming = {}) {
  let workers: Record<string, ChildProcess> = {}
  return {
    async start(): Promise<void> {
      workers = Object.fromEntries(names.map((name) => [name, forkWorker("advanced")]))
      const cluster = relay()
      for (const worker of Object.values(workers)) cluster.add(worker)
    },
    async stop(): Promise<void> {
      for (const worker of Object.values(workers)) worker.kill("SIGKILL")
    },
    async join(name: string): Promise<PubSub> {
      const node = await ipcNode(workers[name]!, { ...options, node: name })
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
  }
}
