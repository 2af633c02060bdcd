import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { relay } from "../../pubsub/relay.ts"
import type { Timers } from "../../timers.ts"
import { urlOf } from "../port.ts"
import { WORKER_SECRET } from "../role.ts"
import type { Endpoint } from "../transport.ts"
import type { OpenPort } from "./listen.ts"
import type { ListenOptions } from "./listen-options.ts"
import { WorkerPool } from "./worker-pool.ts"
import type { WorkerDeath } from "./worker-pool.ts"

/** How long a worker may take to end after its drain, in ms: for its last answers, its `left` handlers and its bus. */
const GRACE_MS = 15_000

/** A port that worker processes serve. */
export interface WorkersPort extends OpenPort {
  /** The workers that are running now. */
  workers(): readonly Worker[]
}

/**
 * Forks this program into worker processes, which serve the port together, and relays messages between them. This process
 * serves no clients itself.
 * @throws ConfigError when a worker ends before it listens
 */
export async function listenInWorkers(
  { secret, limits }: Endpoint,
  options: ListenOptions,
  { timers, random, onDeath }: { timers: Timers; random: () => number; onDeath: (death: WorkerDeath) => void },
): Promise<WorkersPort> {
  // The default serialization, JSON, would send each payload in base64.
  cluster.setupPrimary({ serialization: "advanced" })
  relay(cluster)
  const [signal = "SIGTERM"] = options.signals || []
  const pool = new WorkerPool({
    count: options.workers ?? 1,
    fork: () => cluster.fork({ [WORKER_SECRET]: secret }),
    signal,
    graceMs: limits.drainTimeoutMs + GRACE_MS,
    timers,
    random,
    onDeath,
  })
  const { port, address } = await pool.start()
  return {
    port,
    host: address,
    url: urlOf(options.host ?? "localhost", port),
    close: pool.close,
    workers: () => pool.workers,
  }
}
