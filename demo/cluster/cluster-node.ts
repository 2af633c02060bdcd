import { createServer } from "rollcall/server"
import type { Server } from "rollcall/server"
import type { PubSub } from "rollcall/pubsub"
import { memoryTransport } from "rollcall/testing"
import type { MemoryTransport, SeededNetwork, SeededNode } from "rollcall/testing"
import { createTracker } from "rollcall/tracker"
import type { Diff, SeenReplica, Timers, Tracker } from "rollcall/tracker"
import { createPerson, TOPIC } from "./person.js"
import type { Person, Transport } from "./person.js"

/** Somebody that a node shows: from which node, since which change of that node. */
export interface Shown {
  readonly key: string
  readonly node: string
  readonly clock: number
  readonly isAway: boolean
}

export interface ClusterNodeOptions {
  readonly name: string
  readonly network: SeededNetwork
  /** The clock of the pages. It goes on when a node crashes. */
  readonly pageTimers: Timers
  /** Sets the conditions of the network for the time of a call. */
  readonly quickly: <Result>(call: () => Result) => Result
  readonly changed: (node: string, diff: Diff) => void
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** One whole node: a bus, a tracker, a server with channels and presence, and the pages that are connected to it. */
export class ClusterNode {
  readonly name: string
  /** The page that only watches the room. */
  readonly watcher: Person
  readonly #people = new Map<string, Person>()
  readonly #options: ClusterNodeOptions
  #running: { seeded: SeededNode; tracker: Tracker; memory: MemoryTransport; server: Server } | undefined

  constructor(options: ClusterNodeOptions) {
    this.name = options.name
    this.#options = options
    this.start()
    this.watcher = this.#person(undefined)
  }

  get isUp(): boolean {
    return this.#running !== undefined
  }

  /** The people whose pages are connected to this node, or wait for it. */
  get people(): readonly Person[] {
    return [...this.#people.values()]
  }

  /** Whether the node has handled all that its pages have sent. It reads no clock: each reading takes virtual time. */
  get isSettled(): boolean {
    if (this.#running === undefined) return true
    const own = this.#running.tracker.rows!().filter(({ pid }) => pid.endsWith(`@${this.name}`))
    return [this.watcher, ...this.people].every(({ isLive }) => isLive) && own.length === this.#people.size
  }

  /** What the node has seen of each node, itself first. */
  get seen(): readonly SeenReplica[] {
    return this.#running?.tracker.seen!() ?? []
  }

  /** Everybody that the node shows to its pages. */
  get shown(): readonly Shown[] {
    return this.seen
      .filter(({ status }) => status === "up")
      .flatMap(({ node, rows }) =>
        rows.map(({ key, clock, meta }) => ({ key, node, clock, isAway: meta["away"] === true })),
      )
  }

  start(): void {
    const { name, network, quickly, changed } = this.#options
    const seeded = network.node(name)
    const { timers } = seeded
    // A subscription is confirmed at once, however slow the messages are: a page would wait for its join.
    const pubsub: PubSub = {
      ...seeded.pubsub,
      get status() {
        return seeded.pubsub.status
      },
      subscribe: (...args) => quickly(() => seeded.pubsub.subscribe(...args)),
    }
    const { random } = network
    const tracker = createTracker({ pubsub, timers, random })
    tracker.onDiff((diff) => changed(name, diff))
    const server = createServer<{ name: string | undefined }>({ pubsub, timers, random, tracker, logger: SILENT })
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] }) })
    server.channel(TOPIC, {
      join: () => ({ ok: {} }),
      allow: ["away"],
      presence: ({ assigns }, me) => (assigns.name === undefined ? undefined : { key: assigns.name, meta: me }),
    })
    this.#running = { seeded, tracker, memory: memoryTransport(server), server: server as unknown as Server }
  }

  /** Ends the process without a goodbye. Its pages lose their connections, and wait. */
  crash(): void {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.seeded.crash()
    running.memory.drop()
    for (const page of [this.watcher, ...this.people]) page.pause()
  }

  /** Starts a new process of this name. The pages connect again. */
  restart(): void {
    if (this.#running !== undefined) return
    this.start()
    for (const page of [this.watcher, ...this.people]) page.resume()
  }

  person(name: string): Person | undefined {
    return this.#people.get(name)
  }

  add(name: string): void {
    if (!this.#people.has(name)) this.#people.set(name, this.#person(name))
  }

  remove(name: string): void {
    this.#people.get(name)?.leave()
    this.#people.delete(name)
  }

  /** Ends all pages. */
  close(): void {
    for (const page of [this.watcher, ...this.people]) page.leave()
  }

  #person(name: string | undefined): Person {
    const { network, pageTimers } = this.#options
    const current = (): MemoryTransport => this.#running!.memory
    // The page keeps its transport, but a restarted node has a new one.
    const transport = function (url: string | URL): object {
      return new (current().WebSocket)(url)
    } as unknown as Transport
    const { random } = network
    return createPerson({ name, transport, timers: pageTimers, random, now: () => network.now, isPaused: !this.isUp })
  }
}
