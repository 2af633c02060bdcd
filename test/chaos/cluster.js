/** The servers and the engine of the chaos, and the links between them and to the clients. */
import { end, ended, nextMessage, signal, start } from "./children.js"
import { Link } from "./link.js"

const NODES = ["n1", "n2", "n3"]
const WORKERS = 4

/** A node: one server process, which is started again under its name after it has ended. */
class Node {
  /** The port of the current process; `undefined` while none listens. @type {number | undefined} */
  port
  /** The process ids of its workers. @type {readonly number[]} */
  workers = []
  /** The link to the engine; `undefined` for workers. @type {Link | undefined} */
  engineLink
  #name
  #options
  #onFatal
  #child

  constructor(name, options, onFatal) {
    this.#name = name
    this.#options = options
    this.#onFatal = onFatal
  }

  get name() {
    return this.#name
  }

  get isRunning() {
    return this.port !== undefined
  }

  async start() {
    const child = start("node.js", { node: this.#name, ...this.#options })
    this.#child = child
    child.on("message", (/** @type {{ fatal?: string, workers?: number[] }} */ { fatal, workers }) => {
      if (fatal !== undefined) this.#onFatal(fatal)
      if (workers !== undefined) this.workers = workers
    })
    child.once("exit", () => {
      if (this.#child === child) this.port = undefined
    })
    const { port } = await nextMessage(child, (message) => message.port !== undefined)
    this.port = port
  }

  /** Sends a signal to the process. */
  signal(name) {
    if (this.#child?.pid !== undefined) signal(this.#child.pid, name)
  }

  /** Ends the process by a signal. Resolves when it has ended, at the latest after `graceMs`, when it is killed. */
  async end(name, graceMs = 10_000) {
    const child = this.#child
    if (child === undefined) return
    this.port = undefined
    const timer = setTimeout(() => end(child), graceMs)
    this.signal(name)
    await ended(child)
    clearTimeout(timer)
  }

  /** Returns what the node shows of some rooms, and which nodes it knows. */
  async shown(rooms) {
    if (this.#child === undefined || !this.isRunning) return "is not running"
    const answer = nextMessage(this.#child, (message) => message.shown !== undefined)
    this.#child.send({ rooms })
    return JSON.stringify(
      await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 2_000, "no answer"))]),
    )
  }
}

export class Cluster {
  /** @type {readonly Node[]} */
  nodes = []
  /** The link that all clients connect to: it forwards each to one of the running nodes. @type {Link} */
  front
  /** The engine's server; `undefined` for workers. @type {import("../support/engine.js").Engine | undefined} */
  engine
  /** The address that clients connect to. */
  url = ""

  /**
   * @param {"redis" | "nats" | "workers"} engine
   * @param {() => number} random
   * @param {(what: string) => void} onFatal called with each uncaught error of a node
   */
  static async start(engine, random, onFatal) {
    const cluster = new Cluster()
    const pick = (items) => items[Math.floor(random() * items.length)]
    if (engine === "workers") {
      cluster.nodes = [new Node("n1", { engine, workers: WORKERS }, onFatal)]
    } else {
      // Only here: without Redis and NATS installed, chaos among workers runs as well.
      const { natsServer, redisServer } = await import("../support/engine.js")
      const server = await (engine === "redis" ? redisServer() : natsServer())
      cluster.engine = server
      await server.start()
      cluster.nodes = await Promise.all(
        NODES.map(async (name) => {
          const link = new Link(() => ({ name, port: server.port }))
          const node = new Node(name, { engine, url: `${engine}://127.0.0.1:${await link.open()}` }, onFatal)
          node.engineLink = link
          return node
        }),
      )
    }
    await Promise.all(cluster.nodes.map((node) => node.start()))
    cluster.front = new Link(() => {
      const { name, port } = pick(cluster.nodes.filter((node) => node.isRunning)) ?? {}
      return port === undefined ? undefined : { name, port }
    })
    cluster.url = `ws://127.0.0.1:${await cluster.front.open()}/socket`
    return cluster
  }
}
