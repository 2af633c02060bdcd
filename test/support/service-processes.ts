import { fork, type ChildProcess } from "node:child_process"
import { relay } from "../../src/pubsub/index.ts"
import type { EngineName } from "./cluster.ts"
import { natsServer, redisServer } from "./engine.js"

/** A process with services. */
export interface ServiceProcess {
  readonly name: string
  /** Runs a command of `service-node.js`, and resolves to its result. */
  run(command: string, argument?: unknown): Promise<any>
  /** Resolves at the next message for which `matches` returns true. */
  heard(matches: (message: any) => boolean): Promise<any>
  /** Kills the process without a goodbye; resolves once it has exited. */
  kill(): Promise<void>
}

/**
 * The timing of the trackers: a node that is killed is gone after 6 s, where the bus does not tell it at once. It is long, so
 * that no process counts as dead because the machine is busy.
 */
const SHORT_DOWN_PERIOD = { broadcastPeriodMs: 1_000, downPeriodMs: 6_000, permdownPeriodMs: 60_000 }

/** Starts an engine, and returns a function that starts processes on it, and one that ends all of them. */
export async function serviceProcesses(engineName: EngineName) {
  const engine = engineName === "ipc" ? undefined : await (engineName === "redis" ? redisServer() : natsServer())
  await engine?.start()
  const workers = relay()
  const children = new Set<ChildProcess>()

  async function start(node: string, { serves = true, timing = SHORT_DOWN_PERIOD } = {}): Promise<ServiceProcess> {
    const given = JSON.stringify({ engine: engineName, url: engine?.url, node, serves, timing })
    const child = fork("test/support/service-node.js", [given], { serialization: "advanced" })
    child.setMaxListeners(0)
    children.add(child)
    if (engineName === "ipc") workers.add(child)
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    const heard: ServiceProcess["heard"] = (matches) =>
      new Promise((resolve, reject) => {
        const listen = (message: { test?: unknown }): void => {
          if (message.test === undefined || !matches(message.test)) return
          child.off("message", listen)
          resolve(message.test)
        }
        child.on("message", listen)
        void exited.then(() => reject(new Error(`${node} has ended`)))
      })
    await heard((message) => message === "ready")
    return {
      name: node,
      heard,
      async run(command, argument) {
        const done = heard((message: { done?: string }) => message.done === command)
        child.send({ test: [command, argument] })
        return ((await done) as { result: unknown }).result
      },
      async kill() {
        child.kill("SIGKILL")
        await exited
        children.delete(child)
      },
    }
  }

  return {
    start,
    async close() {
      for (const child of children) child.kill("SIGKILL")
      await engine?.kill()
    },
  }
}
