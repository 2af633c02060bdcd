import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { ConfigError } from "../error.ts"
import { relay } from "../pubsub/relay.ts"
import { WORKER_SECRET } from "./role.ts"

/** A worker that ends sooner than this after its start is not started again at once, in ms. */
const HASTE_MS = 1_000

/** How workers are told to end, and how long they may take to before they are killed. */
export interface Ending {
  readonly signal: NodeJS.Signals
  readonly graceMs: number
}

/** Worker processes that serve one port together. */
export interface Workers {
  readonly port: number
  readonly address: string
  /** Tells all of them to end, and resolves once they have. */
  close(): Promise<void>
}

/**
 * Forks this very program `count` times, and relays between the workers. A worker that dies is told to the others at
 * once, and replaced (design decision 10).
 *
 * Resolves once all listen, and rejects when one of them ends before it does.
 */
export async function forkWorkers(count: number, secret: string, ending: Ending): Promise<Workers> {
  if (!Number.isInteger(count) || count < 1) throw new ConfigError(`expected workers to be 1 or more, got ${count}`)
  let closing = false
  cluster.setupPrimary({ serialization: "advanced" })
  relay(cluster)

  const fork = (): Worker => {
    const started = performance.now()
    const worker = cluster.fork({ [WORKER_SECRET]: secret })
    worker.once("exit", () => {
      if (closing) return
      const wait = performance.now() - started < HASTE_MS ? HASTE_MS : 0
      setTimeout(() => closing || fork(), wait).unref()
    })
    return worker
  }
  const workers = Array.from({ length: count }, fork)
  const [first] = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<{ port: number; address: string }>((resolve, reject) => {
          worker.once("listening", resolve)
          worker.once("exit", (code) => reject(new ConfigError(`a worker ended with ${code} before it listened`)))
        }),
    ),
  ).catch((error: unknown) => {
    closing = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGKILL")
    throw error
  })

  return {
    port: first?.port ?? 0,
    address: first?.address ?? "",
    async close() {
      closing = true
      await Promise.all(Object.values(cluster.workers ?? {}).map((worker) => worker && end(worker, ending)))
    },
  }
}

async function end(worker: Worker, { signal, graceMs }: Ending): Promise<void> {
  // It may have been told by the same terminal or init system, and be gone already.
  if (worker.isDead()) return
  const exited = new Promise((resolve) => worker.once("exit", resolve))
  worker.process.kill(signal)
  const timer = setTimeout(() => worker.process.kill("SIGKILL"), graceMs)
  await exited
  clearTimeout(timer)
}
