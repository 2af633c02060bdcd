import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { ConfigError } from "../../error.ts"
import { relay } from "../../pubsub/ipc-relay.ts"
import type { Timers } from "../../timers.ts"
import type { Logger } from "../logger.ts"
import { once } from "../once.ts"
import { urlOf } from "../port.ts"
import { WORKER_SECRET } from "../role.ts"
import type { Endpoint } from "../transport.ts"
import { isForeignWorker } from "./foreign-cluster.ts"
import type { OpenPort } from "./listen.ts"
import type { CheckedListenOptions } from "./listen-options.ts"
import { ServedPorts } from "./served-ports.ts"
import { WorkerPool } from "./worker-pool.ts"
import type { WorkerDeath } from "./worker-pool.ts"
import { namePort, WORKER_PORTS } from "./worker-port.ts"

/** How long a worker may take to end after its drain, in ms: for its last answers, its `left` handlers and its bus. */
const GRACE_MS = 15_000

/** A port that worker processes serve. */
export interface WorkersPort extends OpenPort {
  /** The workers that are running now. */
  workers(): readonly Worker[]
}

const servedPorts = new ServedPorts()
/** The pools of this process, one for each open port. The workers of all pools serve all ports. */
const pools = new Set<WorkerPool>()

/**
 * The secret of all workers of this process: a long-poll token that one worker has signed may be sent to any of the others,
 * also to those of another pool.
 */
let sharedSecret: string | undefined

/** What the workers of a port need of their server. */
export interface WorkersContext {
  readonly timers: Timers
  readonly random: () => number
  readonly logger: Logger
  readonly onDeath: (death: WorkerDeath) => void
  /** Aborted when the server closes, perhaps before the workers listen: one of them may never do so. */
  readonly closing: AbortSignal
}

/**
 * Forks this program into worker processes, which serve the port together, and relays messages between them. This process
 * serves no clients itself, and no connection passes through it: all workers accept from one listening socket.
 * @throws ConfigError in a cluster worker of another program, when a worker serves another port, or ends before it listens,
 * also when it ends because of `closing`; RollcallError `address_in_use`
 */
export async function listenInWorkers(
  { secret, limits }: Endpoint,
  options: CheckedListenOptions,
  { timers, random, logger, onDeath, closing }: WorkersContext,
): Promise<WorkersPort> {
  if (isForeignWorker()) {
    throw new ConfigError(
      "expected listen({ workers }) in a process of its own, got one that another program has forked with node:cluster: " +
        "run a single process there (pm2: exec_mode fork, one instance), or leave out workers and pass a pubsub",
    )
  }
  shareListeningSocket(logger)
  // The default serialization, JSON, would send each payload in base64.
  cluster.setupPrimary({ serialization: "advanced" })
  relay(cluster)
  const [signal = "SIGTERM"] = options.signals || []
  sharedSecret ??= secret
  const name = namePort(options.port)
  const served = servedPorts.add(name)
  const pool = new WorkerPool({
    count: options.workers ?? 1,
    port: served,
    ports: servedPorts,
    fork: forkWorker,
    signal,
    graceMs: limits.drainTimeoutMs + GRACE_MS,
    timers,
    random,
    onDeath,
    onSlowStart: (worker) => logger.warn("a worker has not opened its port yet", worker),
  })
  pools.add(pool)
  const close = once(async () => {
    served.closed = closing.aborted ? "server" : "port"
    // The workers of other pools go on, without this port.
    for (const other of pools) if (other !== pool) other.closePort(served)
    await pool.close()
    pools.delete(pool)
  })
  const onClosing = (): void => void close()
  closing.addEventListener("abort", onClosing)
  const starting = pool.start().finally(() => closing.removeEventListener("abort", onClosing))
  const { port, address } = await starting.catch((error: unknown) => {
    pools.delete(pool)
    servedPorts.remove(served)
    name.forget()
    throw error
  })
  return { port, host: address, url: urlOf(options.host ?? "localhost", port), close, workers: () => pool.workers }
}

/** Whether the numbers of the ports are passed to new workers, see `WORKER_PORTS`. */
let passesPorts = false

function forkWorker(): Worker {
  // Node identifies a listening socket by the port that a worker asks for. While another worker has the socket that port 0 has
  // opened, a new one gets the same socket for port 0, and from then on none of them would for the port's number.
  const picked = servedPorts.picked()
  passesPorts ||= picked.some((port) => port > 0) && Array.from(pools, ({ workers }) => workers).flat().length === 0
  const ports = passesPorts ? String(picked) : ""
  return cluster.fork({ [WORKER_SECRET]: sharedSecret, [WORKER_PORTS]: ports })
}

/**
 * Lets all workers accept connections from one listening socket (`SCHED_NONE`).
 *
 * By default the primary of `node:cluster` accepts them and hands them over in turn. A connection that is on its way to a
 * worker when that is killed then stays open in the primary for ever: Node waits for the worker's answer. A worker without file
 * descriptors gets no connection any more, for the same reason. With a shared socket, a connection that the worker has not
 * accepted is accepted by another one, and one that it has accepted ends with it.
 */
function shareListeningSocket(logger: Logger): void {
  // Node reads the policy once, when the first worker is forked or set up.
  const isDecided = Object.keys(cluster.settings).length > 0
  if (isDecided && cluster.schedulingPolicy !== cluster.SCHED_NONE) {
    logger.warn(
      "connections may stay open unanswered when a worker is killed, because the program has forked a worker before: " +
        "set cluster.schedulingPolicy = cluster.SCHED_NONE before the first cluster.fork()",
    )
    return
  }
  cluster.schedulingPolicy = cluster.SCHED_NONE
}
