import { fork, type ChildProcess, type ForkOptions } from "node:child_process"
import { join } from "node:path"
import type { LivenessTiming } from "../../src/pubsub/liveness.ts"
import type { DropReason, PubSubStatus, Receive } from "../../src/pubsub/pubsub.ts"
import type { TestNode, TestNodeOptions } from "../contracts/pubsub.ts"

/** A node in a worker process of its own. */
export interface IpcNode extends TestNode {
  readonly worker: ChildProcess
  /** The names that this node's `onNodeDown` listener received. */
  readonly downs: readonly string[]
  /** Kills the process, so that the node cannot close itself. */
  kill(): Promise<void>
}

/** Forks a worker process that runs `test/support/ipc-worker.js`. */
export function forkWorker(serialization: NonNullable<ForkOptions["serialization"]>): ChildProcess {
  const worker = fork(join(import.meta.dirname, "ipc-worker.js"), { serialization, stdio: "inherit" })
  // Every node adds a listener to its worker, and one worker serves all tests of a file: Node would warn of a leak.
  return worker.setMaxListeners(0)
}

let ids = 0

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

/** Connects a node in that worker to the bus, and returns a proxy that controls it from this process. */
export async function ipcNode(
  worker: ChildProcess,
  options: TestNodeOptions & LivenessTiming & { timeoutMs?: number } = {},
): Promise<IpcNode> {
  const id = (ids += 1)
  const statuses: PubSubStatus[] = []
  const drops: DropReason[] = []
  const errors: string[] = []
  const downs: string[] = []
  const receivers = new Map<number, Receive>()
  const calls = new Map<number, { resolve: (value: never) => void; reject: (error: unknown) => void }>()
  const lists: Record<string, string[]> = { status: statuses, drop: drops, error: errors, down: downs }

  const call = <Result>(command: string, ...args: unknown[]): Promise<Result> =>
    new Promise((resolve, reject) => {
      const number = (ids += 1)
      calls.set(number, { resolve, reject })
      worker.send(["test", number, command, id, ...args], (error) => error && reject(error))
    })
  worker.on("message", (message) => {
    const [tag, kind, number, ...rest] = message as [string, string, number, ...unknown[]]
    if (tag !== "test") return
    if (kind === "return") calls.get(number)?.resolve(rest[0] as never)
    else if (kind === "throw") calls.get(number)?.reject(Object.assign(new Error(String(rest[1])), { code: rest[0] }))
    else if (number === id && rest[0] === "message") {
      const [, subscription, base64, from] = rest as [string, number, string, string]
      receivers.get(subscription)?.(Buffer.from(base64, "base64"), from)
    } else if (number === id) lists[rest[0] as string]?.push(rest[1] as string)
  })
  return {
    worker,
    node: await call<string>("join", options),
    statuses,
    drops,
    errors,
    downs,
    async subscribe(topic, receive, throws = false) {
      const subscription = (ids += 1)
      receivers.set(subscription, receive)
      await call("subscribe", subscription, topic, throws)
      return () => call("undo", subscription)
    },
    publish: (topic, bytes) => call("publish", topic, base64(bytes)),
    send: (node, topic, bytes) => call("send", node, topic, base64(bytes)),
    async close() {
      if (worker.connected) await call("close")
    },
    async kill() {
      const dead = new Promise((resolve) => worker.once("exit", resolve))
      worker.kill("SIGKILL")
      await dead
    },
  }
}
