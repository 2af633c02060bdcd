import { RollcallError } from "../../error.ts"
import { loadOptionalPeer } from "../../optional-peer.ts"
import type { Timers } from "../../timers.ts"
import type { Awaitable } from "../awaitable.ts"
import type { Logger } from "../logger.ts"
import { once } from "../once.ts"
import type { Counters } from "../operations/counters.ts"
import type { Reporting } from "../operations/report.ts"
import type { Stats } from "../operations/stats.ts"
import type { ReportingWorker } from "../operations/worker-reports.ts"
import { workerSecret } from "../role.ts"
import type { Role } from "../role.ts"
import type { Endpoint } from "../transport.ts"
import type { AttachableServer } from "../transports/attachable.ts"
import type { OpenPort } from "./listen.ts"
import type { CheckedListenOptions, Listening, ListenOptions } from "./listen-options.ts"
import type { Entrance } from "./shutdown.ts"
import type { WorkerDeath } from "./worker-pool.ts"

/** The server to start, and the services that its start uses. */
export interface StartupOptions {
  readonly server: { readonly endpoint: Endpoint; stats(): Stats; close(): Promise<void> }
  readonly counters: Counters
  readonly logger: Logger
  readonly timers: Timers
  /** Returns numbers in [0, 1). */
  readonly random: () => number
}

type Undo = () => Awaitable<void>

type Diagnostics = typeof import("../operations/diagnostics.ts")

/** An entrance; for the port of a primary, `workers` returns the worker processes that serve it. */
interface WorkersEntrance extends Entrance {
  workers?(): readonly ReportingWorker[]
}

/**
 * Opens ports, worker processes, signal listeners and diagnostics for a server. Every module that needs Node is loaded here, at
 * the first call that uses it.
 */
export class Startup implements Reporting {
  readonly #options: StartupOptions
  readonly #opened = new Set<WorkersEntrance>()
  /** The functions to call when the server has closed. A port that is closed earlier removes its own. */
  readonly #undos = new Set<Undo>()
  #role: Role = workerSecret() === undefined ? "single" : "worker"
  readonly #closing = new AbortController()
  /** The calls of `listen` that have not settled. */
  readonly #pending = new Set<Promise<unknown>>()
  #isPublished = false

  constructor(options: StartupOptions) {
    this.#options = options
  }

  get role(): Role {
    return this.#role
  }

  /** The entrances that are open now. */
  get opened(): ReadonlySet<Entrance> {
    return this.#opened
  }

  stats(): Stats {
    return this.#options.server.stats()
  }

  workers(): readonly ReportingWorker[] {
    return [...this.#opened].flatMap(({ workers }) => workers?.() ?? [])
  }

  /**
   * Opens a port. If that fails, closes everything that it has opened.
   * @throws ConfigError; RollcallError `address_in_use`, or `closed` when the server closes before the port is open
   */
  async listen(given: number | string | ListenOptions, host?: string): Promise<Listening> {
    this.#expectOpen()
    const { checkedListenOptions } = await import("./listen-options.ts")
    const opening = this.#openOrUndo(checkedListenOptions(given, host))
    this.#pending.add(opening)
    return opening.finally(() => this.#pending.delete(opening))
  }

  async #openOrUndo(options: CheckedListenOptions): Promise<Listening> {
    const undos: Undo[] = []
    try {
      return await this.#open(options, undos)
    } catch (error) {
      for (const undo of undos) await undo()
      throw error
    }
  }

  /** @throws ConfigError without `ws`; RollcallError `closed` when the server closes before it is attached */
  async attach(httpServer: AttachableServer): Promise<void> {
    this.#expectOpen()
    const { attach } = await loadWithWs(() => import("../transports/attach.ts"))
    const { guardDescriptors } = await import("./descriptor-guard.ts")
    const { publishCounts, publishStats } = await import("../operations/diagnostics.ts")
    this.#expectOpen()
    const { server, logger, timers } = this.#options
    const guard = guardDescriptors(httpServer, { count: server.endpoint.count, logger, timers })
    const detach = attach(server.endpoint, httpServer)
    this.#opened.add({ close: () => detach().finally(guard.stop) })
    this.#publish({ publishCounts, publishStats })
  }

  /** Makes `listen` and `attach` fail from now on, since nothing would close what they open. Ends workers that are starting. */
  close(): void {
    this.#closing.abort()
  }

  /**
   * Ends everything that was opened besides the ports for clients, after all pending calls of `listen` have settled. The port
   * for operations is among it, so that `/ready` can answer until the server has closed.
   */
  async undo(): Promise<void> {
    await Promise.allSettled(this.#pending)
    await Promise.all(Array.from(this.#undos, (undo) => undo()))
  }

  #expectOpen(): void {
    if (!this.#closing.signal.aborted) return
    throw new RollcallError(
      "closed",
      "expected an open server, got one on which close() was called: create a new server",
    )
  }

  /** @param undos receives a function that undoes each step, the last step first */
  async #open(options: CheckedListenOptions, undos: Undo[]): Promise<Listening> {
    const { server, logger } = this.#options
    const { closeOnSignals, DEFAULT_SIGNALS } = await import("./signals.ts")
    const { listenForOperations } = await import("../operations/listen-operations.ts")
    const { publishCounts, publishStats } = await import("../operations/diagnostics.ts")
    // Before the port is open: from then on the worker may have clients, and must be asked to close before it is ended.
    if (this.#role === "worker") await this.#acceptRequests()
    this.#expectOpen()

    const isPrimary = this.#role === "primary" || (this.#role === "single" && options.workers !== undefined)
    const port = await this.#openPort(options, isPrimary)
    this.#opened.add(port)
    undos.unshift(() => this.#close(port))
    this.#expectOpen()
    const signals = options.signals === false ? [] : (options.signals ?? DEFAULT_SIGNALS)
    const stopSignals = closeOnSignals(signals, () => server.close())
    undos.unshift(stopSignals)

    const operations = await listenForOperations(this, options.operations, logger)
    undos.unshift(operations.close)
    this.#expectOpen()

    if (isPrimary) this.#role = "primary"
    this.#publish({ publishCounts, publishStats })
    const close = once(async () => {
      await this.#close(port)
      await operations.close()
      stopSignals()
      this.#undos.delete(close)
    })
    this.#undos.add(close)
    const { host, url } = port
    return { port: port.port, host, url, ...(operations.url !== undefined && { operations: operations.url }), close }
  }

  async #close(port: WorkersEntrance): Promise<void> {
    await port.close()
    this.#opened.delete(port)
  }

  #openPort(options: CheckedListenOptions, isPrimary: boolean): Promise<OpenPort> {
    if (isPrimary) return this.#openInWorkers(options)
    return this.#role === "worker" ? this.#openInWorker(options) : this.#openAlone(options)
  }

  async #openAlone(options: CheckedListenOptions): Promise<OpenPort> {
    const { server, logger } = this.#options
    const { isForeignWorker } = await import("./foreign-cluster.ts")
    if (isForeignWorker() && server.endpoint.pubsub === undefined) {
      logger.warn(
        "this process is a cluster worker of another program, such as pm2: without a pubsub, its clients do not see " +
          "the users of the other workers",
      )
    }
    return this.#openHere(options)
  }

  /** Opens the port in a worker, and reports to its primary whether that has worked. */
  async #openInWorker(options: CheckedListenOptions): Promise<OpenPort> {
    const { namePort, portOfWorker } = await import("./worker-port.ts")
    const { closePortOnRequest } = await import("./close-on-request.ts")
    const { IN_USE, LISTENING, sendToPrimary } = await import("./worker-messages.ts")
    const name = options.workers === undefined ? undefined : namePort(options.port)
    const requested = { requested: options.port, ...(name && { ordinal: name.ordinal }) }
    const opening = this.#openHere(name === undefined ? options : { ...options, port: portOfWorker(name) })
    const port = await opening.catch((error: unknown) => {
      name?.forget()
      if (error instanceof RollcallError && error.code === "address_in_use") sendToPrimary(IN_USE, requested)
      throw error
    })
    const close = { port: port.close, server: () => this.#options.server.close() }
    const stop = name && closePortOnRequest(name, close)
    sendToPrimary(LISTENING, { port: port.port, address: port.host, ...requested })
    return { ...port, close: () => port.close().finally(stop) }
  }

  async #openHere(options: CheckedListenOptions): Promise<OpenPort> {
    const { listen } = await loadWithWs(() => import("./listen.ts"))
    this.#expectOpen()
    return listen(this.#options.server.endpoint, options, this.#options.logger)
  }

  async #openInWorkers(options: CheckedListenOptions): Promise<OpenPort> {
    const { server, timers, random, logger } = this.#options
    const { listenInWorkers } = await import("./listen-in-workers.ts")
    this.#expectOpen()
    const onDeath = (death: WorkerDeath): void => this.#reportDeath(death)
    const context = { timers, random, logger, onDeath, closing: this.#closing.signal }
    return listenInWorkers(server.endpoint, options, context).catch((error: unknown) => {
      // A worker that has ended because the server closes is not the reason.
      this.#expectOpen()
      throw error
    })
  }

  #reportDeath(death: WorkerDeath): void {
    const { counters, logger } = this.#options
    counters.count("worker_deaths")
    logger.error("a worker process ended and will be started again", death)
  }

  /** Lets the primary ask this worker to close, from the first port until the server has closed. */
  readonly #acceptRequests = once(async () => {
    const { closeOnRequest } = await import("./close-on-request.ts")
    this.#undos.add(closeOnRequest(() => this.#options.server.close()))
  })

  /** Publishes counts, sizes and stats to `node:diagnostics_channel`, beginning with the first port. */
  #publish({ publishCounts, publishStats }: Diagnostics): void {
    const { server, counters, timers } = this.#options
    if (this.#isPublished) return
    this.#isPublished = true
    counters.forward(publishCounts(server.endpoint.node))
    this.#undos.add(publishStats(() => server.stats(), timers))
  }
}

/**
 * Loads a module that imports the transports, and with them the optional package `ws`.
 * @throws ConfigError when `ws` is not installed
 */
function loadWithWs<Module>(load: () => Promise<Module>): Promise<Module> {
  return loadOptionalPeer("WebSockets need", "ws", load)
}
