import type { Worker } from "node:cluster"
import { ConfigError } from "../../error.ts"
import type { Timers } from "../../timers.ts"
import { once } from "../once.ts"
import { addressInUse } from "../port.ts"
import { RestartBackoff } from "./restart-backoff.ts"
import {
  ACCEPTS_CLOSE,
  CLOSE_PORT,
  CLOSE_SERVERS,
  SERVERS_CLOSED,
  isWorkerMessage,
  openedPort,
  portInUse,
  workerMessage,
} from "./worker-messages.ts"
import type { BoundAddress, OpenedPort, RequestedPort } from "./worker-messages.ts"
import type { ServedPort, ServedPorts } from "./served-ports.ts"
import type { PortName } from "./worker-port.ts"

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
  /** The port of the pool. Its `bound` is set by the start. */
  readonly port: ServedPort
  /** The ports of all pools. The workers open all of them, and maybe others that the program opens without workers. */
  readonly ports: Pick<ServedPorts, "find">
  /** The signal that is sent to a worker once it has closed. */
  readonly signal: NodeJS.Signals
  /** How long a worker may take to close and to end before it is killed, in ms. */
  readonly graceMs: number
  readonly timers: Timers
  /** Returns numbers in [0, 1). */
  readonly random: () => number
  /** Called when a worker has ended without being asked to. */
  readonly onDeath: (death: WorkerDeath) => void
  /** Called when a worker does not listen after `SLOW_START_MS`. The start still waits for it. */
  readonly onSlowStart: (worker: SlowWorker) => void
}

/** A worker that has not opened the port of its pool yet. */
export interface SlowWorker {
  /** The port of the pool. */
  readonly port: number
  readonly worker: number
  readonly pid: number | undefined
  /** The other ports that it has opened. */
  readonly opened: readonly number[]
}

/** When a start is reported as slow, in ms. */
export const SLOW_START_MS = 30_000

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
  /** The ports that each worker has open. */
  readonly #openPorts = new WeakMap<Worker, Set<ServedPort>>()
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
   * @throws ConfigError when one of them ends before that, or serves another port with workers; RollcallError
   * `address_in_use`. The others are killed then, unless `close` has ended it.
   */
  async start(): Promise<BoundAddress> {
    const starting = Array.from({ length: this.#options.count }, () => this.#startFirst())
    try {
      const [first = { port: 0, address: "" }] = await Promise.all(starting)
      this.#options.port.bound = first.port
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
    const { random, timers, ports, onSlowStart } = this.#options
    const port = this.#options.port.requested
    const opened: number[] = []
    return new Promise<BoundAddress>((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#stopRestarts()
        reject(error)
      }
      // After the first `resolve` or `reject`, the others have no effect. A worker that dies later is started again.
      let isSettled = false
      const settle = (outcome: () => void): void => {
        if (isSettled) return
        isSettled = true
        timers.clear(timer)
        outcome()
      }
      const worker = this.#start(new RestartBackoff(random), (exit) => settle(() => fail(endedEarly(exit))))
      const timer = timers.set(
        () => onSlowStart({ port, worker: worker.id, pid: worker.process.pid, opened }),
        SLOW_START_MS,
      )
      worker.on("message", (message) => {
        const address = openedPort(message)
        const inUse = portInUse(message)
        if (inUse !== undefined && this.#isOwn(inUse)) settle(() => fail(addressInUse(port)))
        else if (address === undefined) return
        else if (this.#isOwn({ ...address, requested: address.requested ?? address.port }))
          settle(() => resolve({ port: address.port, address: address.address }))
        else if (isNamed(address) && ports.find(address) === undefined)
          settle(() => fail(otherPort(port, address.port)))
        else opened.push(address.port)
      })
    })
  }

  #isOwn({ requested, ordinal }: RequestedPort): boolean {
    const { port } = this.#options
    return requested === port.requested && (ordinal === undefined || ordinal === port.ordinal)
  }

  #start(backoff: RestartBackoff, onExit: (exit: Exit) => void = () => undefined): Worker {
    const { fork, timers } = this.#options
    const startedAt = timers.now()
    const worker = fork()
    this.#workers.add(worker)
    this.#openPorts.set(worker, new Set())
    worker.on("message", (message) => {
      if (isWorkerMessage(message, ACCEPTS_CLOSE)) this.#acceptClose.add(worker)
      const address = openedPort(message)
      if (address !== undefined) this.#checkPort(worker, address)
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

  #checkPort(worker: Worker, opened: OpenedPort): void {
    const port = isNamed(opened) ? this.#options.ports.find(opened) : undefined
    if (port === undefined) return
    // The last worker with port 0 open has died while this one was starting. The next start gets the port's number.
    if (port.closed === undefined && port.bound !== undefined && port.bound !== opened.port) {
      worker.process.kill("SIGKILL")
      return
    }
    this.#openPorts.get(worker)?.add(port)
    // A worker that is started again runs the whole program, and opens the ports that the primary has closed since, too. Their
    // servers stay: a `listen` would reject, and end the program.
    this.#closePorts(worker, "port")
  }

  /** Lets the workers close a port of another pool, or its server, as its `closed` says. */
  closePort({ closed = "port" }: ServedPort): void {
    for (const worker of this.#workers) this.#closePorts(worker, closed)
  }

  /**
   * Lets a worker close the open ports that the primary has closed. This waits until the worker has opened the port of this pool:
   * Node numbers the sockets that a worker opens for port 0, and a closed one would give its number to the next one.
   */
  #closePorts(worker: Worker, closed: "port" | "server"): void {
    const open = this.#openPorts.get(worker)
    if (open?.has(this.#options.port) !== true) return
    for (const port of open) {
      if (port.closed === undefined || !open.delete(port)) continue
      const { requested, ordinal } = port
      // A worker that is about to end does not get it, and needs it no more.
      worker.send(workerMessage(CLOSE_PORT, { requested, ordinal, closed }), () => undefined)
    }
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

function isNamed(opened: OpenedPort): opened is OpenedPort & PortName {
  return opened.ordinal !== undefined
}

async function kill(worker: Worker): Promise<void> {
  if (worker.isDead()) return
  const exited = new Promise((resolve) => worker.once("exit", resolve))
  worker.process.kill("SIGKILL")
  await exited
}

function otherPort(port: number, other: number): ConfigError {
  return new ConfigError(
    `expected each worker to listen on port ${port}, as the primary does, got one that listens on port ${other}: ` +
      "all processes of a program must call listen({ workers }) with the same ports, in the same order",
  )
}

function endedEarly({ code, signal }: Exit): ConfigError {
  const how = signal !== null ? `by ${signal}` : code !== null ? `with code ${code}` : "because it could not be started"
  return new ConfigError(`expected each worker to listen, got one that ended ${how} before that`)
}
