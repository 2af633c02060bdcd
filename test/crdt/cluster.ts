import { dominates, restrict } from "../../src/crdt/clock.ts"
import { Generations } from "../../src/crdt/generations.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import { Random } from "./random.ts"
import type { Element, News } from "./tombstones.ts"
import { Twin, type Message } from "./model-checked-set.ts"

/** What the bus between replicas does to their messages. */
export interface Profile {
  readonly name: string
  /** How likely it is that a message is lost, and that it comes twice. */
  readonly loss: number
  readonly repeat: number
  /** Whether messages overtake one another. */
  readonly reorder: boolean
  /** Whether replicas lose sight of, forget and find one another. */
  readonly churn?: boolean
  /** Whether processes of different replicas have the same pids. */
  readonly samePids?: boolean
}

/** Replicas under random operations on a bus that is bad as its profile says; all of it determined by a seed. */
export class Cluster {
  readonly nodes: readonly Twin[]
  /** How many rows came, went and were answered for by a generation: a run in which nothing happened proves nothing. */
  readonly seen = { joins: 0, leaves: 0, updates: 0, fromGenerations: 0, full: 0 }
  readonly #random: Random
  readonly #profile: Profile
  readonly #generations: ReadonlyMap<Twin, Generations>
  /** For each replica what is under way to it, in the order in which it was sent. */
  readonly #underWay: ReadonlyMap<Twin, { from: Twin; message: Message }[]>
  /** Dot → element, of all additions ever. */
  readonly #elements = new Map<string, Element>()
  #n = 0

  constructor(seed: number, profile: Profile) {
    this.#random = new Random(seed)
    this.#profile = profile
    this.nodes = Array.from({ length: 2 + this.#random.below(3) }, (_, i) => new Twin(`r${i}`))
    this.#generations = new Map(this.nodes.map((node) => [node, new Generations([2, 6, 20])]))
    this.#underWay = new Map(this.nodes.map((node) => [node, []]))
    for (const node of this.nodes) for (const other of this.nodes) node.replicaUp(other.set.ref)
  }

  /** One operation, broadcast, request or delivery, at random. */
  step(): void {
    const node = this.#random.pick(this.nodes)
    const dice = this.#random.next()
    if (dice < 0.35) this.#operate(node)
    else if (dice < 0.5) this.#broadcast(node)
    else if (dice < 0.6) this.#request(node, this.#random.pick(this.nodes))
    else if (dice < 0.64 && this.#profile.churn === true) this.#churn(node, this.#random.pick(this.nodes))
    else this.#deliver(node)
  }

  /** Ends the bad times: all see all, what is under way is lost, and who is behind asks until nobody is. */
  heal(): void {
    for (const queue of this.#underWay.values()) queue.length = 0
    for (const node of this.nodes) for (const other of this.nodes) node.replicaUp(other.set.ref)
    for (let round = 0; round < 3; round++) {
      for (const node of this.nodes) {
        for (const other of this.nodes) if (this.#lacks(node, other)) this.#receive(node, this.#answer(other, node))
      }
    }
  }

  #operate(node: Twin): void {
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

  #broadcast(node: Twin): void {
    const message = node.takeDelta()
    if (message.payload === undefined) return
    this.#generations.get(node)!.push(message.payload)
    for (const other of this.nodes) if (other !== node) this.#send(node, other, message)
  }

  #request(node: Twin, other: Twin): void {
    if (node !== other && this.#lacks(node, other)) this.#send(other, node, this.#answer(other, node))
  }

  #churn(node: Twin, other: Twin): void {
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

  #send(from: Twin, to: Twin, message: Message): void {
    const copies = this.#random.chance(this.#profile.loss) ? 0 : this.#random.chance(this.#profile.repeat) ? 2 : 1
    for (let i = 0; i < copies; i++) this.#underWay.get(to)!.push({ from, message })
  }

  #deliver(node: Twin): void {
    const queue = this.#underWay.get(node)!
    const at = this.#profile.reorder ? this.#random.below(queue.length) : 0
    for (const { message } of queue.splice(at, 1)) this.#receive(node, message)
  }

  #receive(node: Twin, message: Message): void {
    this.#count(node.merge(message))
    if (message.payload?.mode === "delta") this.#generations.get(node)!.push(message.payload)
    else this.#generations.get(node)!.clear()
  }

  #lacks(node: Twin, other: Twin): boolean {
    const clocks = node.set.clocks()
    return !dominates(clocks, restrict(other.set.clocks(), clocks))
  }

  #answer(node: Twin, asker: Twin): Message {
    const delta = this.#generations.get(node)!.extract(asker.set.clocks())
    if (delta === undefined) {
      this.seen.full++
      return node.extract(asker)
    }
    this.seen.fromGenerations++
    return { payload: delta, news: this.#newsOf(delta) }
  }

  /** What a delta made of several says, in the model's terms. */
  #newsOf(delta: Delta): News {
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
    this.seen.joins += joins.length
    this.seen.leaves += leaves.length
    this.seen.updates += joins.filter((join) => join.replaces !== undefined).length
  }
}
