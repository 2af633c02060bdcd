import { RollcallError } from "../../error.ts"
import type { Timers } from "../../timers.ts"
import type { Awaitable } from "../awaitable.ts"
import type { Opened } from "./shutdown.ts"
import type { Counters } from "../operations/counters.ts"
import type { Listening, ListenOptions } from "./listen.ts"
import { workerSecret } from "../role.ts"
import type { Role } from "../role.ts"
import type { Logger } from "../logger.ts"
import type { Stats } from "../operations/stats.ts"
import type { Endpoint } from "../transport.ts"

/** What is opened for a server, and what that needs of it. */
export interface StartupOptions {
  readonly server: { readonly role: Role; readonly endpoint: Endpoint; stats(): Stats; close(): Promise<void> }
  readonly counts: Counters
  readonly logger: Logger
  readonly timers: Timers
}

/**
 * What a server opens until it closes: ports, ears for signals, and what tells of it. All that needs Node is loaded here,
 * when it is called for.
 */
export class Startup {
  readonly opened: Opened[] = []
  readonly #options: StartupOptions
  /** What is left to undo once all is closed. */
  readonly #undos: (() => Awaitable<void>)[] = []
  #role: Role = workerSecret() === undefined ? "single" : "worker"
  #isPublished = false
  #isOver = false

  constructor(options: StartupOptions) {
    this.#options = options
  }

  get role(): Role {
    return this.#role
  }

  /** @throws RollcallError `address_in_use`; `closed` when it is over before this is done */
  async listen(options: ListenOptions): Promise<Listening> {
    const { server } = this.#options
    this.#expectOpen()
    const { listen, listenInWorkers } = await import("./listen.ts")
    if (options.workers !== undefined && this.#role !== "worker") this.#role = "primary"
    const { closeOn, ENDINGS } = await import("./signals.ts")
    // Before the port is open: from then on there may be clients, who are not to be cut off.
    if (this.#role === "worker") await this.#closeWhenAsked()
    this.#expectOpen()
    const { listening, refuse } = await (this.#role === "primary" ? listenInWorkers : listen)(server.endpoint, options)
    await this.#keepOrClose(listening.close)
    this.opened.push({ refuse, close: listening.close })
    this.#undos.push(closeOn(options.signals === false ? [] : (options.signals ?? ENDINGS), () => server.close()))
    await this.#publish()
    return this.#operate(listening, options)
  }

  /** @throws RollcallError `closed` when it is over before this is done */
  async attach(httpServer: import("node:http").Server): Promise<void> {
    this.#expectOpen()
    const { attach } = await import("../transports/attach.ts")
    this.#expectOpen()
    this.opened.push({ close: attach(this.#options.server.endpoint, httpServer) })
    await this.#publish()
    this.#expectOpen()
  }

  /** From now on nothing is opened: nobody would close it any more. */
  end(): void {
    this.#isOver = true
  }

  /** Undoes what was opened beside the ports. Operations among it: who asked meanwhile was told that the server is closing. */
  async undo(): Promise<void> {
    await Promise.all(this.#undos.map((undo) => undo()))
  }

  #expectOpen(): void {
    if (!this.#isOver) return
    throw new RollcallError(
      "closed",
      "expected a server that is open, but close() was called on it: a new one can serve",
    )
  }

  /** Closes what was still being opened when closing began. */
  async #keepOrClose(close: () => Promise<void>): Promise<void> {
    if (this.#isOver) await close()
    this.#expectOpen()
  }

  async #closeWhenAsked(): Promise<void> {
    const { closeWhenAsked } = await import("./workers.ts")
    this.#undos.push(closeWhenAsked(() => this.#options.server.close()))
  }

  /** Has `node:diagnostics_channel` told of everything, from the first moment on at which there is Node. */
  async #publish(): Promise<void> {
    const { server, counts, timers } = this.#options
    if (this.#isPublished) return
    this.#isPublished = true
    const { publishCounts, publishStats } = await import("../operations/diagnostics.ts")
    if (this.#isOver) return
    counts.forward(publishCounts(server.endpoint.node))
    this.#undos.push(publishStats(() => server.stats(), timers))
  }

  /** Serves operations for as long as what listens does. */
  async #operate(listening: Listening, options: ListenOptions): Promise<Listening> {
    const { server, logger } = this.#options
    const { operate } = await import("../operations/listen-operations.ts")
    const operating = await operate(server, options.operations, logger).catch(async (error: unknown) => {
      await listening.close()
      throw error
    })
    await this.#keepOrClose(operating.close)
    this.#undos.push(operating.close)
    if (operating.url === undefined) return listening
    const close = (): Promise<void> => listening.close().then(operating.close)
    return { ...listening, operations: operating.url, close }
  }
}
