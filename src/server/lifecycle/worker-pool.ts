import type { Worker } from "node:cluster"
import { ConfigError } from "../../error.ts"
import type { Timers } from "../../timers.ts"
import { once } from "../once.ts"
import { RestartBackoff } from "./restart-backoff.ts"
import {
  ACCEPTS_CLOSE,
  boundAddress,
  CLOSE_SERVERS,
  SERVERS_CLOSED,
  isWorkerMessage,
  workerMessage,
} from "./worker-messages.ts"
import type { BoundAddress } from "./worker-messages.ts"

/** How a worker process ended. */
export interface WorkerDeath {
  /** The worker's number in the cluster. */
  readonly worker: number
  readonly pid: number | undefined
  /** Its exit code; `null` when a signal ended it, or when it could not be started. */
  readonly code: number | null
  readonly signal: string | null
  readonly uptimeMs: number
  /** The delay before it is started again. */
  readonly restartInMs: number
}

export interface WorkerPoolOptions {
  /** The number of worker processes, 1 or more. */
  readonly count: number
  /** Starts one worker process. */
  readonly fork: () => Worker
  /** Returns whether a port that a worker has opened is that of the pool; the program may open others. */
  readonly isOwnPort: (port: number) => boolean
  /** The signal that is sent to a worker once it has closed. */
  readonly signal: NodeJS.Signals
  /** How long a worker may take to close and to end before it is killed, in ms. */
  readonly graceMs: number
  readonly timers: Timers
  /** Returns numbers in [0, 1). */
  readonly random: () => number
  /** Called when a worker has ended without being asked to. */
  readonly onDeath: (death: WorkerDeath) => void
}

interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/**
 * The worker processes of one `listen`, which serve one port together. A worker that dies is started again. The pool leaves
 * alone other workers of the same cluster, which the program has forked itself.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #workers = new Set<Worker>()
  /** The workers that can be asked to close. The other workers serve no clients yet. */
  readonly #acceptClose = new WeakSet<Worker>()
  readonly #restarts = new Set<unknown>()
  /** Whether dead workers stay dead: the start has failed, or `close` was called. */
  #isEnding = false
  /** Whether `close` was called. */
  #isClosed = false

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** The workers that are running now. */
  get workers(): readonly Worker[] {
    return [...this.#workers]
  }

  /**
   * Starts the workers. Resolves when all of them listen.
   * @throws ConfigError when one of them ends before that; the others are killed then, unless `close` has ended it
   */
  async start(): Promise<BoundAddress> {
    const starting = Array.from({ length: this.#options.count }, () => this.#startFirst())
    try {
      const [first = { port: 0, address: "" }] = await Promise.all(starting)
      return first
    } catch (error) {
      // Workers that listen already may have clients: `close` lets them end in their own time.
      await (this.#isClosed ? this.close() : Promise.all(this.workers.map((worker) => kill(worker))))
      throw error
    }
  }

  /** Asks all workers to close, and resolves when their processes have ended. It ends a `start`, too. */
  readonly close: () => Promise<void> = once(async () => {
    this.#isClosed = true
    this.#stopRestarts()
    await Promise.all(this.workers.map((worker) => this.#end(worker)))
  })

  /** Starts a worker, and resolves when it listens for the first time. */
  #startFirst(): Promise<BoundAddress> {
    return new Promise((resolve, reject) => {
      let isListening = false
      const worker = this.#start(new RestartBackoff(this.#options.random), (exit) => {
        if (isListening) return
        this.#stopRestarts()
        reject(endedEarly(exit))
      })
      worker.on("message", (message) => {
        const address = boundAddress(message)
        if (address === undefined || isListening || !this.#options.isOwnPort(address.port)) return
        isListening = true
        resolve(address)
      })
    })
  }

  #start(backoff: RestartBackoff, onExit: (exit: Exit) => void = () => undefined): Worker {
    const { fork, timers } = this.#options
    const startedAt = timers.now()
    const worker = fork()
    this.#workers.add(worker)
    worker.on("message", (message) => {
      if (isWorkerMessage(message, ACCEPTS_CLOSE)) this.#acceptClose.add(worker)
    })
    let hasEnded = false
    const ended = (exit: Exit): void => {
      if (hasEnded) return
      hasEnded = true
      this.#workers.delete(worker)
      onExit(exit)
      if (!this.#isEnding) this.#restart(worker, exit, Math.round(timers.now() - startedAt), backoff)
    }
    worker.once("exit", (code, signal) => ended({ code, signal }))
    // A worker that could not be started emits no `exit`. Sending to a worker that is about to end emits an error, too.
    worker.on("error", () => {
      if (worker.process.pid === undefined) ended({ code: null, signal: null })
    })
    return worker
  }

  #restart(worker: Worker, exit: Exit, uptimeMs: number, backoff: RestartBackoff): void {
    const { timers, onDeath } = this.#options
    const restartInMs = backoff.nextDelay(uptimeMs)
    onDeath({ worker: worker.id, pid: worker.process.pid, ...exit, uptimeMs, restartInMs })
    // This timer keeps the process alive. Without workers, possibly nothing else does.
    const timer = timers.set(() => {
      this.#restarts.delete(timer)
      this.#start(backoff)
    }, restartInMs)
    this.#restarts.add(timer)
  }

  #stopRestarts(): void {
    this.#isEnding = true
    for (const timer of this.#restarts) this.#options.timers.clear(timer)
    this.#restarts.clear()
  }

  /** Asks a worker to close, sends it the signal once it has closed, and kills it when that takes too long. */
  async #end(worker: Worker): Promise<void> {
    const { signal, graceMs, timers } = this.#options
    // A terminal and an init system signal the workers and their primary. So the worker may have ended already.
    if (worker.isDead()) return
    const exited = new Promise((resolve) => worker.once("exit", resolve))
    const sendSignal = (): void => void worker.process.kill(signal)
    if (this.#acceptClose.has(worker)) {
      worker.on("message", (message) => isWorkerMessage(message, SERVERS_CLOSED) && sendSignal())
      worker.send(workerMessage(CLOSE_SERVERS), (error: Error | null) => error && sendSignal())
    } else sendSignal()
    const timer = timers.set(() => worker.process.kill("SIGKILL"), graceMs)
    await exited
    timers.clear(timer)
  }
}

async function kill(worker: Worker): Promise<void> {
  if (worker.isDead()) return
  const exited = new Promise((resolve) => worker.once("exit", resolve))
  worker.process.kill("SIGKILL")
  await exited
}

function endedEarly({ code, signal }: Exit): ConfigError {
  const how = signal !== null ? `by ${signal}` : code !== null ? `with code ${code}` : "because it could not be started"
  return new ConfigError(`expected each worker to listen, got one that ended ${how} before that`)
}
