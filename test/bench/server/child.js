import { fork } from "node:child_process"
import { once } from "node:events"

/** No job takes that long, in ms: one that does will never end. */
const LONGEST_MS = 300_000

/** @typedef {{ execArgv?: string[], bus?: import("rollcall/pubsub").Relay }} ChildSettings */

/** A process of the bench's own, spoken to by questions and answers. */
export class Child {
  #process
  #asked = 0
  /** What it said when it was ready. */
  ready

  /** @param forked a process that calls `serve` */
  constructor(forked) {
    this.#process = forked
  }

  /**
   * @param file a module of this folder that calls `serve`
   * @param bus what relays between processes that are nodes of one cluster
   */
  static async start(file, options = {}, /** @type {ChildSettings} */ { execArgv = [], bus } = {}) {
    const serialization = bus === undefined ? "json" : "advanced"
    const forked = fork(new URL(file, import.meta.url), [JSON.stringify(options)], { execArgv, serialization })
    bus?.add(forked)
    const child = new Child(forked)
    child.ready = await new Promise((resolve, reject) => {
      forked.on("message", (/** @type {any} */ { ready }) => ready !== undefined && resolve(ready))
      forked.once("exit", () => reject(new Error(`expected ${file} to start, but it ended`)))
    })
    return child
  }

  /** Asks for a job to be done, and resolves with its result. */
  ask(job, options = {}) {
    this.#asked += 1
    const id = this.#asked
    return new Promise((resolve, reject) => {
      const settle = (settled, value) => {
        clearTimeout(timer)
        this.#process.off("message", hear).off("exit", end)
        settled(value)
      }
      const hear = (message) => {
        if (message.id !== id) return
        if ("error" in message) settle(reject, new Error(`${job}: ${message.error}`))
        else settle(resolve, message.result)
      }
      const end = (code) => settle(reject, new Error(`${job}: the process ended with ${code}`))
      const timer = setTimeout(() => settle(reject, new Error(`${job}: no result in ${LONGEST_MS} ms`)), LONGEST_MS)
      this.#process.on("message", hear).on("exit", end)
      this.#process.send?.({ id, job, options })
    })
  }

  /** Tells it to end, as whoever deploys does, and resolves once it has. */
  async end() {
    const gone = once(this.#process, "exit")
    this.#process.kill("SIGTERM")
    await gone
  }

  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, "exit")
    this.#process.disconnect()
    await gone
  }
}

/** The other end, in the process: says that it is ready, answers jobs, and ends with the bench. */
export function serve(jobs, ready = {}) {
  process.on("disconnect", () => process.exit())
  process.on("message", async ({ id, job, options }) => {
    // The bus of a cluster has the same way in.
    if (job === undefined) return
    try {
      process.send?.({ id, result: await jobs[job](options) })
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.stack : String(error) })
    }
  })
  process.send?.({ ready })
}

/** The options that the process was started with. */
export const given = () => JSON.parse(process.argv[2] ?? "{}")
