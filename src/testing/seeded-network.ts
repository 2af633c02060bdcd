import { ConfigError } from "../error.ts"
import { SeededNode } from "./seeded-node.ts"
import { mulberry32 } from "./prng.ts"
import { Timeline } from "./timeline.ts"

/** How the network treats messages. Shares are between 0 and 1. */
export interface Conditions {
  /** The share of messages that are lost. */
  readonly loss: number
  /** The share of messages that arrive twice. */
  readonly duplication: number
  /** The share of messages that do not keep the order of their sender. */
  readonly reordering: number
  /** The least and the most time that a message takes, in ms. */
  readonly delayMs: readonly [least: number, most: number]
}

/** What a `SeededNetwork` takes; by default it is fast and loses nothing. */
export interface SeededNetworkOptions extends Partial<Conditions> {
  /** A whole number; all chance comes from it. */
  readonly seed: number
  /** Whether the bus tells the others of a node's crash, as the one between the workers of one machine does. */
  readonly seesNodesDie?: boolean
}

const CALM: Conditions = { loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] }

/** How deep a chain of promises may be between two moments. */
const SETTLING = 8

/**
 * A cluster's network in one process and in virtual time: it loses, doubles, delays, reorders and splits, by a seed.
 *
 * The same seed and the same calls give the same run, to the last message, so that a failure can be replayed. Nothing
 * waits: a day passes as fast as what happens in it can be computed.
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
  readonly #timeline = new Timeline()
  readonly #nodes = new Set<SeededNode>()
  /** Node's name → the side that it is on; empty while the network is whole. */
  readonly #sides = new Map<string, number>()
  /** Sender → receiver → when its last message arrives: those that keep their order come no earlier. */
  readonly #arrivals = new WeakMap<SeededNode, WeakMap<SeededNode, number>>()
  #conditions: Conditions

  constructor(options: SeededNetworkOptions) {
    const { seed, seesNodesDie = false, ...conditions } = options
    if (!Number.isSafeInteger(seed)) throw new ConfigError(`expected a seed that is a whole number, got ${seed}`)
    this.random = mulberry32(seed)
    this.#seesNodesDie = seesNodesDie
    this.#conditions = { ...CALM, ...conditions }
  }

  /** Virtual milliseconds since the network was made. */
  get now(): number {
    return this.#timeline.now
  }

  /** The nodes that live. */
  get nodes(): readonly SeededNode[] {
    return [...this.#nodes]
  }

  /**
   * Starts a node; after a crash, the next one of its name is its restart. Two living ones may share a name, as by a mistake
   * in a deployment: what is sent to the name reaches both, and neither hears the other.
   */
  node(name: string): SeededNode {
    const node = new SeededNode(
      name,
      {
        timeline: this.#timeline,
        carry: (from, to, topic, bytes) => this.#carry(from, to, topic, bytes),
        delay: () => this.#delay(),
        gone: (gone, crashed) => this.#gone(gone, crashed),
      },
      this.#seesNodesDie,
    )
    this.#nodes.add(node)
    return node
  }

  /** Changes how messages are treated from now on. */
  set(conditions: Partial<Conditions>): void {
    this.#conditions = { ...this.#conditions, ...conditions }
  }

  /** Cuts the network: names of different groups do not reach each other, nor do those that are in no group reach the others. */
  split(...groups: readonly (readonly string[])[]): void {
    this.#sides.clear()
    for (const [side, names] of groups.entries()) for (const name of names) this.#sides.set(name, side + 1)
  }

  /** Makes the network whole again. What was under way across a cut is lost. */
  heal(): void {
    this.#sides.clear()
  }

  /** Lets `ms` of virtual time pass, with all that happens in it, promises between two moments included. */
  async run(ms: number): Promise<void> {
    const end = this.#timeline.now + ms
    do for (let i = 0; i < SETTLING; i += 1) await undefined
    while (this.#timeline.step(end))
    this.#timeline.now = end
  }

  #carry(from: SeededNode, to: string | undefined, topic: string, bytes: Uint8Array): void {
    for (const node of this.#nodes) {
      if (node.name === from.name || (to !== undefined && node.name !== to)) continue
      if (!this.#reaches(from, node) || this.random() < this.#conditions.loss) continue
      const copies = this.random() < this.#conditions.duplication ? 2 : 1
      for (let copy = 0; copy < copies; copy += 1) this.#ship(from, node, topic, bytes.slice())
    }
  }

  #ship(from: SeededNode, to: SeededNode, topic: string, bytes: Uint8Array): void {
    const inOrder = this.random() >= this.#conditions.reordering
    const arrivals = this.#arrivals.get(from) ?? new WeakMap<SeededNode, number>()
    this.#arrivals.set(from, arrivals)
    let at = this.#timeline.now + this.#delay()
    if (inOrder) arrivals.set(to, (at = Math.max(at, arrivals.get(to) ?? 0)))
    this.#timeline.set(() => {
      if (this.#reaches(from, to)) to.deliver(topic, bytes, from.name)
    }, at)
  }

  #delay(): number {
    const [least, most] = this.#conditions.delayMs
    return least + this.random() * (most - least)
  }

  #reaches(from: SeededNode, to: SeededNode): boolean {
    return (this.#sides.get(from.name) ?? 0) === (this.#sides.get(to.name) ?? 0)
  }

  #gone(node: SeededNode, crashed: boolean): void {
    this.#nodes.delete(node)
    if (!crashed || !this.#seesNodesDie) return
    // By the quickest way: whoever sees a node die does so before its successor can be heard.
    const at = this.#timeline.now + this.#conditions.delayMs[0]
    for (const other of this.#nodes) {
      this.#timeline.set(() => {
        if (this.#reaches(node, other)) other.nodeDown(node.name)
      }, at)
    }
  }
}
