import { ConfigError } from "../error.ts"
import { Messages } from "./network-message.ts"
import type { Link, OnMessage, Sent } from "./network-message.ts"
import { SeededNode } from "./seeded-node.ts"
import { mulberry32 } from "./prng.ts"
import { Timeline } from "./timeline.ts"

/** How the network treats messages. Shares are numbers from 0 to 1. */
export interface Conditions {
  /** The share of messages that are lost. */
  readonly loss: number
  /** The share of messages that arrive twice. */
  readonly duplication: number
  /** The share of messages that can be overtaken by later messages of the same sender. */
  readonly reordering: number
  /** The minimum and maximum delay of a message, in ms. */
  readonly delayMs: readonly [least: number, most: number]
}

/** The options of a `SeededNetwork`. By default it delivers every message once, in order, after 1 to 5 ms. */
export interface SeededNetworkOptions extends Partial<Conditions> {
  /** A whole number that determines all random choices. */
  readonly seed: number
  /**
   * Whether the bus reports the crash of a node to the other nodes, as the bus between the workers of one machine does.
   * Default `false`.
   */
  readonly seesNodesDie?: boolean
  /**
   * Called with each message when it is sent, and again when it has arrived or is lost: to show a run, or to lose, hurry or
   * repeat a single message. By default, nothing is called.
   */
  readonly onMessage?: OnMessage
}

const DEFAULTS: Conditions = { loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] }

/** The number of microtask turns that `run` waits between two events, so that promises can settle. */
const MICROTASK_TURNS = 8

/**
 * The network of a cluster, in one process and in virtual time. It loses, duplicates, delays and reorders messages and
 * can be split, all determined by a seed.
 *
 * The same seed and the same calls give the same run, message by message, so a failure can be replayed. A day of
 * virtual time takes only as long as the code that runs in it.
 *
 * ```ts
 * const network = new SeededNetwork({ seed: 7, loss: 0.2 })
 * const [a, b] = ["a", "b"].map((name) => {
 *   const { pubsub, timers } = network.node(name)
 *   return createTracker({ pubsub, timers, random: network.random })
 * })
 * a.track("1", "rooms:lobby", "ada", {})
 * network.split(["a"], ["b"])
 * await network.run(60_000)
 * network.heal()
 * await network.run(10_000)
 * expect(b.list("rooms:lobby")).toHaveLength(1)
 * ```
 */
export class SeededNetwork {
  /** Numbers in [0, 1), from the seed. */
  readonly random: () => number
  readonly #seesNodesDie: boolean
  readonly #messages: Messages
  readonly #timeline = new Timeline()
  readonly #nodes = new Set<SeededNode>()
  /** Node name → the side of the split on which the node is. Empty while the network is not split. */
  readonly #sides = new Map<string, number>()
  /**
   * Sender → receiver → the arrival time of the latest message that keeps the order. The next such message arrives no
   * earlier.
   */
  readonly #arrivals = new WeakMap<SeededNode, WeakMap<SeededNode, number>>()
  #conditions: Conditions

  constructor(options: SeededNetworkOptions) {
    const { seed, seesNodesDie = false, onMessage, ...conditions } = options
    if (!Number.isSafeInteger(seed)) throw new ConfigError(`expected seed to be a whole number, got ${seed}`)
    this.random = mulberry32(seed)
    this.#seesNodesDie = seesNodesDie
    this.#messages = new Messages(this.#timeline, onMessage)
    this.#conditions = { ...DEFAULTS, ...conditions }
  }

  /** The virtual time since the network was created, in ms. */
  get now(): number {
    return this.#timeline.now
  }

  /** The nodes that have neither crashed nor closed their bus. */
  get nodes(): readonly SeededNode[] {
    return [...this.#nodes]
  }

  /**
   * Creates a node. After a crash, a node with the same name is the restarted node.
   *
   * Two living nodes can have the same name, to simulate a mistake in a deployment. Then a message to that name reaches
   * both, and neither receives the messages of the other.
   */
  node(name: string): SeededNode {
    const node = new SeededNode(
      name,
      {
        timeline: this.#timeline,
        send: (from, to, topic, bytes) => this.#send(from, to, topic, bytes),
        delay: () => this.#delay(),
        ended: (node, hasCrashed) => this.#ended(node, hasCrashed),
      },
      this.#seesNodesDie,
    )
    this.#nodes.add(node)
    return node
  }

  /** Changes the given conditions from now on. The other conditions stay unchanged. */
  set(conditions: Partial<Conditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions }
  }

  /**
   * Splits the network into groups of nodes, given by name. Nodes of different groups do not reach each other. The nodes
   * that are in none of the groups form one more group.
   */
  split(...groups: readonly (readonly string[])[]): void {
    this.#sides.clear()
    for (const [side, names] of groups.entries()) for (const name of names) this.#sides.set(name, side + 1)
  }

  /** Ends the split. Messages to another side that were due during the split are lost. */
  heal(): void {
    this.#sides.clear()
  }

  /**
   * Lets `ms` of virtual time pass. Runs all events that are due in it, and lets promises settle between two events.
   * @throws what a timer or a listener throws, and an Error if a million events make no progress in time
   */
  async run(ms: number): Promise<void> {
    const end = this.#timeline.now + ms
    do for (let i = 0; i < MICROTASK_TURNS; i += 1) await undefined
    while (this.#timeline.step(end))
    this.#timeline.now = end
  }

  #send(from: SeededNode, to: string | undefined, topic: string, bytes: Uint8Array): void {
    for (const node of this.#nodes) {
      if (node.name === from.name || (to !== undefined && node.name !== to)) continue
      const link: Link = {
        isOpen: () => this.#reaches(from, node),
        deliver: (bytes) => node.deliver(topic, bytes, from.name),
      }
      const sent = (): Sent => ({ from: from.name, to: node.name, topic, bytes: bytes.slice() })
      if (!link.isOpen() || this.random() < this.#conditions.loss) {
        this.#messages.send(sent(), link, undefined)
        continue
      }
      const copies = this.random() < this.#conditions.duplication ? 2 : 1
      for (let copy = 0; copy < copies; copy += 1) this.#messages.send(sent(), link, this.#arrivalTime(from, node))
    }
  }

  #arrivalTime(from: SeededNode, to: SeededNode): number {
    const keepsOrder = this.random() >= this.#conditions.reordering
    const arrivals = this.#arrivals.get(from) ?? new WeakMap<SeededNode, number>()
    this.#arrivals.set(from, arrivals)
    let at = this.#timeline.now + this.#delay()
    if (keepsOrder) arrivals.set(to, (at = Math.max(at, arrivals.get(to) ?? 0)))
    return at
  }

  #delay(): number {
    const [least, most] = this.#conditions.delayMs
    return least + this.random() * (most - least)
  }

  #reaches(from: SeededNode, to: SeededNode): boolean {
    return (this.#sides.get(from.name) ?? 0) === (this.#sides.get(to.name) ?? 0)
  }

  #ended(node: SeededNode, hasCrashed: boolean): void {
    this.#nodes.delete(node)
    if (!hasCrashed || !this.#seesNodesDie) return
    // The delay is the minimum, so that the crash is reported before a message of the restarted node can arrive.
    const at = this.#timeline.now + this.#conditions.delayMs[0]
    for (const other of this.#nodes) {
      this.#timeline.add(() => {
        if (this.#reaches(node, other)) other.nodeDown(node.name)
      }, at)
    }
  }
}
