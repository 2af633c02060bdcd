/** The servers and the engine of the chaos, and the links between them and to the clients. */
import { end, ended, nextMessage, signal, start } from "./children.js"
import { Link } from "./link.js"

const NODES = ["n1", "n2", "n3"]
const WORKERS = 4
/** The delay before a node that could not start is started again. */
const RETRY_MS = 200

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

  /** Starts the process, again and again while its engine is away. */
  async start() {
    while (!(await this.#tryToStart())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }

  async #tryToStart() {
    const child = start("node.js", { node: this.#name, ...this.#options })
    this.#child = child
    child.on("message", (/** @type {{ fatal?: string, workers?: number[] }} */ { fatal, workers }) => {
      if (fatal !== undefined) this.#onFatal(fatal)
      if (workers !== undefined) this.workers = workers
    })
    child.once("exit", () => {
      if (this.#child === child) this.port = undefined
    })
    const listening = nextMessage(child, (message) => message.port !== undefined)
    this.port = await listening.then(
      ({ port }) => port,
      () => undefined,
    )
    return this.isRunning
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

/** Starts an engine and the nodes on it. @param {(what: string) => void} onFatal */
async function startNodes(engine, onFatal) {
  // Only here: without Redis and NATS installed, chaos among workers runs as well.
  const { natsServer, redisServer } = await import("../support/engine.js")
  const server = await (engine === "redis" ? redisServer() : natsServer())
  await server.start()
  const nodes = await Promise.all(
    NODES.map(async (name) => {
      const link = new Link(() => ({ name, port: server.port }))
      const node = new Node(name, { engine, url: `${engine}://127.0.0.1:${await link.open()}` }, onFatal)
      node.engineLink = link
      return node
    }),
  )
  return { nodes, server }
}

export class Cluster {
  /**
   * @param {readonly Node[]} nodes
   * @param {Link} front the link that all clients connect to: it forwards each to one of the running nodes
   * @param {string} url the address that clients connect to
   * @param {import("../support/engine.js").Engine | undefined} engine the engine's server; `undefined` for workers
   */
  constructor(nodes, front, url, engine) {
    this.nodes = nodes
    this.front = front
    this.url = url
    this.engine = engine
  }

  /**
   * @param {"redis" | "nats" | "workers"} engine
   * @param {() => number} random
   * @param {(what: string) => void} onFatal called with each uncaught error of a node
   */
  static async start(engine, random, onFatal) {
    const { nodes, server } =
      engine === "workers"
        ? { nodes: [new Node("n1", { engine, workers: WORKERS }, onFatal)], server: undefined }
        : await startNodes(engine, onFatal)
    await Promise.all(nodes.map((node) => node.start()))
    const front = new Link(() => {
      const running = nodes.filter((node) => node.isRunning)
      const node = running[Math.floor(random() * running.length)]
      return node?.port === undefined ? undefined : { name: node.name, port: node.port }
    })
    return new Cluster(nodes, front, `ws://127.0.0.1:${await front.open()}/socket`, server)
  }
}
