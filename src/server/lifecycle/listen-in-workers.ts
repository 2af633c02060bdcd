import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { relay } from "../../pubsub/ipc-relay.ts"
import type { Timers } from "../../timers.ts"
import { urlOf } from "../port.ts"
import { WORKER_SECRET } from "../role.ts"
import type { Endpoint } from "../transport.ts"
import type { OpenPort } from "./listen.ts"
import type { CheckedListenOptions } from "./listen-options.ts"
import { WorkerPool } from "./worker-pool.ts"
import type { WorkerDeath } from "./worker-pool.ts"

/** How long a worker may take to end after its drain, in ms: for its last answers, its `left` handlers and its bus. */
const GRACE_MS = 15_000

/** A port that worker processes serve. */
export interface WorkersPort extends OpenPort {
  /** The workers that are running now. */
  workers(): readonly Worker[]
}

/** The ports that workers of this process serve, those of its other servers included. */
const openPorts = new Set<number>()

/**
 * The secret of all workers of this process. Each worker runs the whole program, and so it serves the ports of all
 * servers: a long-poll token that one worker has signed may be sent to any of the others.
 */
let sharedSecret: string | undefined

/** What the workers of a port need of their server. */
export interface WorkersContext {
  readonly timers: Timers
  readonly random: () => number
  readonly onDeath: (death: WorkerDeath) => void
  /** Aborted when the server closes, perhaps before the workers listen: one of them may never do so. */
  readonly closing: AbortSignal
}

/**
 * Forks this program into worker processes, which serve the port together, and relays messages between them. This process
 * serves no clients itself.
 * @throws ConfigError when a worker ends before it listens, also when it ends because of `closing`
 */
export async function listenInWorkers(
  { secret, limits }: Endpoint,
  options: CheckedListenOptions,
  { timers, random, onDeath, closing }: WorkersContext,
): Promise<WorkersPort> {
  // The default serialization, JSON, would send each payload in base64.
  cluster.setupPrimary({ serialization: "advanced" })
  relay(cluster)
  const [signal = "SIGTERM"] = options.signals || []
  const workerSecret = (sharedSecret ??= secret)
  let ownPort: number | undefined
  const isOwnPort = (port: number): boolean => {
    if (ownPort === undefined && (options.port === port || (options.port === 0 && !openPorts.has(port)))) {
      ownPort = port
      openPorts.add(port)
    }
    return port === ownPort
  }
  const release = (): void => {
    if (ownPort !== undefined) openPorts.delete(ownPort)
  }
  const pool = new WorkerPool({
    count: options.workers ?? 1,
    fork: () => cluster.fork({ [WORKER_SECRET]: workerSecret }),
    isOwnPort,
    signal,
    graceMs: limits.drainTimeoutMs + GRACE_MS,
    timers,
    random,
    onDeath,
  })
  const close = (): void => void pool.close()
  closing.addEventListener("abort", close)
  const starting = pool.start().finally(() => closing.removeEventListener("abort", close))
  const { port, address } = await starting.catch((error: unknown) => {
    release()
    throw error
  })
  return {
    port,
    host: address,
    url: urlOf(options.host ?? "localhost", port),
    close: () => pool.close().then(release),
    workers: () => pool.workers,
  }
}
