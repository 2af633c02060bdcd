import { dominates, restrict } from "../../src/crdt/clock.ts"
import { Generations } from "../../src/crdt/generations.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import { Random } from "./random.ts"
import type { Element, ModelPayload } from "./tombstones.ts"
import { ModelCheckedSet, type Message } from "./model-checked-set.ts"

/** How the bus between the replicas treats messages, and what else happens to the replicas. */
export interface Profile {
  readonly name: string
  /** The probabilities that a message is lost, and that it arrives twice. */
  readonly loss: number
  readonly repeat: number
  /** Whether messages can overtake each other. */
  readonly reorder: boolean
  /** Whether replicas mark each other as down, forget each other, and bring each other back. */
  readonly churn?: boolean
  /** Whether processes of different replicas have the same pids. */
  readonly samePids?: boolean
}

/** Replicas under random operations, on a bus with the faults of a profile. The seed determines everything. */
export class RandomCluster {
  readonly nodes: readonly ModelCheckedSet[]
  /** The numbers of events of each kind, so that a test can check that enough has happened. */
  readonly counts = { joins: 0, leaves: 0, updates: 0, fromGenerations: 0, full: 0 }
  readonly #random: Random
  readonly #profile: Profile
  readonly #generations: ReadonlyMap<ModelCheckedSet, Generations>
  /** Receiver → the messages that have been sent to it and not delivered yet, in order. */
  readonly #inFlight: ReadonlyMap<ModelCheckedSet, { from: ModelCheckedSet; message: Message }[]>
  /** Dot → element, for every addition. */
  readonly #elements = new Map<string, Element>()
  #n = 0

  constructor(seed: number, profile: Profile) {
    this.#random = new Random(seed)
    this.#profile = profile
    this.nodes = Array.from({ length: 2 + this.#random.below(3) }, (_, i) => new ModelCheckedSet(`r${i}`))
    this.#generations = new Map(this.nodes.map((node) => [node, new Generations([2, 6, 20])]))
    this.#inFlight = new Map(this.nodes.map((node) => [node, []]))
    for (const node of this.nodes) for (const other of this.nodes) node.replicaUp(other.set.ref)
  }

  /** Performs one random step: an operation, a broadcast, a transfer request or a delivery. */
  step(): void {
    const node = this.#random.pick(this.nodes)
    const dice = this.#random.next()
    if (dice < 0.35) this.#operate(node)
    else if (dice < 0.5) this.#broadcast(node)
    else if (dice < 0.6) this.#request(node, this.#random.pick(this.nodes))
    else if (dice < 0.64 && this.#profile.churn === true) this.#churn(node, this.#random.pick(this.nodes))
    else this.#deliver(node)
  }

  /**
   * Ends all faults. Every replica is up at every other one, undelivered messages are lost, and replicas that are behind
   * send transfer requests until no replica is behind.
   */
  heal(): void {
    for (const queue of this.#inFlight.values()) queue.length = 0
    for (const node of this.nodes) for (const other of this.nodes) node.replicaUp(other.set.ref)
    for (let round = 0; round < 3; round++) {
      for (const node of this.nodes) {
        for (const other of this.nodes) if (this.#lacks(node, other)) this.#receive(node, this.#respond(other, node))
      }
    }
  }

  #operate(node: ModelCheckedSet): void {
    const random = this.#random
    const owner = this.#profile.samePids === true ? "p" : `${node.set.ref}.p`
    const [pid, topic, key] = [`${owner}${random.below(4)}`, `t${random.below(2)}`, `u${random.below(3)}`]
    const held = node.set.online().filter((row) => row.ref === node.set.ref)
    const some = held.length > 0 && random.chance(0.8) ? random.pick(held) : { pid, topic, key }
    const dice = random.next()
    if (dice < 0.45) this.#count(node.join(pid, topic, key, this.#n++))
    else if (dice < 0.7) this.#count(node.update(some.pid, some.topic, some.key, this.#n++))
    else if (dice < 0.95) this.#count(node.leave(some.pid, some.topic, some.key))
    else this.#count(node.leaveAll(some.pid))
    for (const e of node.model.extract(new Set([node.set.ref])).added) this.#elements.set(`${e.ref} ${e.clock}`, e)
  }

  #broadcast(node: ModelCheckedSet): void {
    const message = node.takeDelta()
    if (message.payload === undefined) return
    this.#generations.get(node)!.push(message.payload)
    for (const other of this.nodes) if (other !== node) this.#send(node, other, message)
  }

  #request(node: ModelCheckedSet, other: ModelCheckedSet): void {
    if (node !== other && this.#lacks(node, other)) this.#send(other, node, this.#respond(other, node))
  }

  #churn(node: ModelCheckedSet, other: ModelCheckedSet): void {
    if (node === other) return
    const ref = other.set.ref
    const dice = this.#random.next()
    if (dice < 0.5) this.#count(node.replicaUp(ref))
    else if (dice < 0.85) this.#count(node.replicaDown(ref))
    else {
      this.#count(node.removeReplica(ref))
      this.#generations.get(node)!.remove(ref)
    }
  }

  #send(from: ModelCheckedSet, to: ModelCheckedSet, message: Message): void {
    const copies = this.#random.chance(this.#profile.loss) ? 0 : this.#random.chance(this.#profile.repeat) ? 2 : 1
    for (let i = 0; i < copies; i++) this.#inFlight.get(to)!.push({ from, message })
  }

  #deliver(node: ModelCheckedSet): void {
    const queue = this.#inFlight.get(node)!
    const at = this.#profile.reorder ? this.#random.below(queue.length) : 0
    for (const { message } of queue.splice(at, 1)) this.#receive(node, message)
  }

  #receive(node: ModelCheckedSet, message: Message): void {
    this.#count(node.merge(message))
    if (message.payload?.mode === "delta") this.#generations.get(node)!.push(message.payload)
    else this.#generations.get(node)!.clear()
  }

  #lacks(node: ModelCheckedSet, other: ModelCheckedSet): boolean {
    const clocks = node.set.clocks()
    return !dominates(clocks, restrict(other.set.clocks(), clocks))
  }

  #respond(node: ModelCheckedSet, requester: ModelCheckedSet): Message {
    const delta = this.#generations.get(node)!.extract(requester.set.clocks())
    if (delta === undefined) {
      this.counts.full++
      return node.extract(requester)
    }
    this.counts.fromGenerations++
    return { payload: delta, modelPayload: this.#modelPayloadOf(delta) }
  }

  /** Converts a delta that was joined from several deltas to a payload of the model. */
  #modelPayloadOf(delta: Delta): ModelPayload {
    const added = [...delta.parts.values()].flatMap(({ rows }) =>
      rows.map((row) => this.#elements.get(`${row.ref} ${row.clock}`)!),
    )
    const removed: Element[] = []
    for (const element of this.#elements.values()) {
      const part = delta.parts.get(element.ref)
      const seen = part?.seen.some(
        (from, i, seen) => i % 2 === 0 && from <= element.clock && element.clock <= seen[i + 1]!,
      )
      if (seen === true && !added.includes(element)) removed.push(element)
    }
    return { added, removed }
  }

  #count({ joins, leaves }: { joins: readonly { replaces?: object }[]; leaves: readonly object[] }): void {
    this.counts.joins += joins.length
    this.counts.leaves += leaves.length
    this.counts.updates += joins.filter((join) => join.replaces !== undefined).length
  }
}
