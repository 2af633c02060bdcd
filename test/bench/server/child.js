import { fork } from "node:child_process"
import { once } from "node:events"

/** The timeout of a job, in ms. It is longer than any job takes. */
const JOB_TIMEOUT_MS = 300_000

/** @typedef {{ execArgv?: string[], bus?: import("rollcall/pubsub").Relay }} ChildSettings */

/** A child process of the benchmark. The parent sends it jobs, and it answers with their results. */
export class Child {
  #process
  #jobs = 0
  /** The data that the process sent when it was ready. */
  ready

  /** @param forked a forked process that calls `serve` */
  constructor(forked) {
    this.#process = forked
  }

  /**
   * @param file the path of a module that calls `serve`, relative to this folder
   * @param bus relays messages between processes that are nodes of one cluster
   */
  static async start(file, options = {}, /** @type {ChildSettings} */ { execArgv = [], bus } = {}) {
    const serialization = bus === undefined ? "json" : "advanced"
    const forked = fork(new URL(file, import.meta.url), [JSON.stringify(options)], { execArgv, serialization })
    bus?.add(forked)
    const child = new Child(forked)
    child.ready = await new Promise((resolve, reject) => {
      forked.on("message", (/** @type {any} */ { ready }) => ready !== undefined && resolve(ready))
      forked.once("exit", () => reject(new Error(`expected ${file} to start, but its process ended`)))
    })
    return child
  }

  /** Runs a job in the process, and resolves to its result. */
  run(job, options = {}) {
    this.#jobs += 1
    const id = this.#jobs
    return new Promise((resolve, reject) => {
      const settle = (settled, value) => {
        clearTimeout(timer)
        this.#process.off("message", onMessage).off("exit", onExit)
        settled(value)
      }
      const onMessage = (message) => {
        if (message.id !== id) return
        if ("error" in message) settle(reject, new Error(`${job}: ${message.error}`))
        else settle(resolve, message.result)
      }
      const onExit = (code) => settle(reject, new Error(`${job}: the process ended with ${code}`))
      const timer = setTimeout(
        () => settle(reject, new Error(`${job}: expected a result within ${JOB_TIMEOUT_MS} ms`)),
        JOB_TIMEOUT_MS,
      )
      this.#process.on("message", onMessage).on("exit", onExit)
      this.#process.send?.({ id, job, options })
    })
  }

  /** Sends SIGTERM, as a deploy does, and resolves once the process has ended. */
  async terminate() {
    const exited = once(this.#process, "exit")
    this.#process.kill("SIGTERM")
    await exited
  }

  /** Disconnects from the process, which ends it, and resolves once it has ended. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exited = once(this.#process, "exit")
    this.#process.disconnect()
    await exited
  }
}

/** Runs jobs for the parent process. Called in the child process, which then ends with its parent. */
export function serve(jobs, ready = {}) {
  process.on("disconnect", () => process.exit())
  process.on("message", async ({ id, job, options }) => {
    // The messages of a cluster's bus arrive here, too.
    if (job === undefined) return
    try {
      process.send?.({ id, result: await jobs[job](options) })
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.stack : String(error) })
    }
  })
  process.send?.({ ready })
}

/** Returns the options that the process was started with. */
export const startOptions = () => JSON.parse(process.argv[2] ?? "{}")
