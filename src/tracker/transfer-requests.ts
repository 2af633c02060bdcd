import { digestOf, type Digest, type VersionVector } from "../crdt/clock.ts"
import { setUnref, type Timers } from "../timers.ts"
import { nodeOf } from "./replica-ref.ts"

/** How long the clocks of other nodes are collected before a request is sent to a node that is ahead, in ms. */
const GATHER_MS = 25
/** The part of a period that a response, or the next chunk of one, may take. */
const RESPONSE_TIMEOUT = 1 / 3
/** If at most so many replicas are incomplete here, their own nodes are asked: each has all of its own dots. */
const FEW = 3
/** Nodes whose clocks have at least this share of the greatest sum count as equally complete. */
const NEARLY = 0.99

/** The options of `TransferRequests`. */
export interface TransferRequestsOptions {
  readonly timers: Timers
  readonly random: () => number
  /** The least time between two requests for clocks, in ms, and how long a node that was no help is not asked again. */
  readonly periodMs: number
  /** Returns how much this node has seen of each replica that is up. */
  clocks(): VersionVector
  /** Returns how much this node has seen of a replica; `undefined` if that is not up. */
  clockOf(ref: string): number | undefined
  isUp(node: string): boolean
  sendRequest(node: string, clocks: VersionVector): void
  /** Requests all clocks of a node. */
  requestClocks(node: string): void
}

/** What is known of another node's clocks. */
interface Known {
  readonly clocks: Map<string, number>
  digest: Digest
}

/**
 * Decides when this node sends transfer requests, and to which node that is ahead of it (T34).
 *
 * Usually only the own clock of each node is known. It shows at once that something of that node is missing. That something
 * of a third node is missing shows by the digests of the periodic heartbeats; then the clocks of one node are requested.
 *
 * One node is asked at a time. Counter-example: a node starts in a busy cluster of 16. No clocks of a node dominate those of
 * another one, and each of them would send the full state.
 */
export class TransferRequests {
  readonly #options: TransferRequestsOptions
  readonly #known = new Map<string, Known>()
  /** Node that did not respond or had nothing new → the time until which it gets no further request. */
  readonly #spared = new Map<string, number>()
  /** The node that has got a request and has not sent its whole response. */
  #asked: string | undefined
  /** Node → the number of chunks of its current response that have arrived in order; NaN if one is missing. */
  readonly #chunks = new Map<string, number>()
  /**
   * The nodes of whose last response a chunk is missing. They are asked again even if no clock shows that something is
   * missing. Counter-example: the lost chunk covers dots that were seen here before, and lacks a row that is still shown.
   */
  readonly #torn = new Set<string>()
  /** The node whose digest differed last. */
  #doubted: string | undefined
  #nextClocksAt = -Infinity
  #timer: unknown

  constructor(options: TransferRequestsOptions) {
    this.#options = options
  }

  /**
   * Records the clocks and the digest of a node's heartbeat.
   *
   * @param isNew whether the node may not have known this one, and then has ignored its request
   */
  receivedClocks(node: string, clocks: VersionVector, digest?: Digest, isNew = false): void {
    if (isNew && node === this.#asked) {
      this.#asked = undefined
      this.#restart(GATHER_MS)
    }
    const known = this.#known.get(node)
    // Without a digest, these are all clocks of a node of an earlier release, or the own clock beside a delta.
    const isWhole = known === undefined || clocks.size > 1
    if (isWhole) this.#known.set(node, { clocks: new Map(clocks), digest: digestOf(clocks) })
    else for (const [ref, clock] of clocks) known.clocks.set(ref, clock)
    if (digest !== undefined) {
      this.#known.get(node)!.digest = digest
      this.#spared.delete(node)
    }
    if (this.#isBehind(clocks)) return this.#schedule(GATHER_MS)
    if (digest === undefined || this.#agrees(digest)) return
    this.#doubted = node
    this.#schedule(GATHER_MS)
  }

  /**
   * Records a response, or one of its chunks.
   *
   * @param index the number of the chunk, from 0; `undefined` if the node does not number them
   * @param hasMore whether more chunks follow
   * @param hasNews whether it brought something new
   */
  receivedResponse(node: string, index: number | undefined, hasMore: boolean, hasNews: boolean): void {
    const next = this.#chunks.get(node) ?? 0
    const arrived = index === 0 ? 1 : (index ?? next) === next ? next + 1 : NaN
    if (hasMore) {
      this.#chunks.set(node, arrived)
      this.#torn.add(node)
      if (node === this.#asked) this.#restart(this.#options.periodMs * RESPONSE_TIMEOUT)
      return
    }
    this.#chunks.delete(node)
    if (arrived > 0) this.#torn.delete(node)
    if (node === this.#asked) {
      this.#asked = undefined
      if (!hasNews) this.#spare(node)
      this.#restart(undefined)
    }
    // A delta may cover only a part of the missing dots.
    if (this.#torn.size > 0 || [...this.#known.values()].some(({ clocks }) => this.#isBehind(clocks))) {
      this.#schedule(GATHER_MS)
    }
  }

  /** Forgets a node that is permanently down. */
  forget(node: string): void {
    this.#known.delete(node)
    this.#spared.delete(node)
    this.#chunks.delete(node)
    this.#torn.delete(node)
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
  }

  #isBehind(clocks: VersionVector): boolean {
    for (const [ref, clock] of clocks) if ((this.#options.clockOf(ref) ?? clock) < clock) return true
    return false
  }

  #agrees({ sum, hash }: Digest): boolean {
    const own = digestOf(this.#options.clocks())
    return own.sum === sum && own.hash === hash
  }

  /**
   * Looks again after a delay. During it, the clocks of further nodes arrive, and messages that were only overtaken. While a
   * response is awaited, it does nothing.
   */
  #schedule(ms: number): void {
    this.#timer ??= setUnref(this.#options.timers, () => this.#decide(), ms)
  }

  #restart(ms: number | undefined): void {
    this.#options.timers.clear(this.#timer)
    this.#timer = undefined
    if (ms !== undefined) this.#schedule(ms)
  }

  #spare(node: string): void {
    this.#spared.set(node, this.#options.timers.now() + this.#options.periodMs)
  }

  #decide(): void {
    this.#timer = undefined
    // A node that has sent a part of its response is asked once more: a chunk may have been lost.
    if (this.#asked !== undefined && !this.#chunks.delete(this.#asked)) this.#spare(this.#asked)
    const own = this.#options.clocks()
    this.#asked = this.#choose(own)
    if (this.#asked !== undefined) {
      this.#schedule(this.#options.periodMs * RESPONSE_TIMEOUT)
      return this.#options.sendRequest(this.#asked, own)
    }
    const doubted = this.#doubted
    this.#doubted = undefined
    const digest = this.#known.get(doubted ?? "")?.digest
    const now = this.#options.timers.now()
    if (doubted === undefined || digest === undefined || now < this.#nextClocksAt || this.#agrees(digest)) return
    this.#nextClocksAt = now + this.#options.periodMs
    this.#options.requestClocks(doubted)
  }

  /** Returns the node to ask; `undefined` if nothing is missing, or if no node can be asked now. */
  #choose(own: VersionVector): string | undefined {
    const now = this.#options.timers.now()
    const incomplete = new Set<string>()
    const nodes: string[] = []
    for (const [node, { clocks }] of this.#known) {
      if (!this.#options.isUp(node)) continue
      if ((this.#spared.get(node) ?? now) <= now) nodes.push(node)
      for (const [ref, clock] of clocks) {
        const seen = own.get(ref)
        // Replicas that are not up here are ignored, because the response would not contain them (issue #135 of Phoenix).
        if (seen === undefined) clocks.delete(ref)
        else if (seen < clock) incomplete.add(nodeOf(ref))
      }
    }
    if (incomplete.size === 0) return nodes.find((node) => this.#torn.has(node))
    const owners = incomplete.size <= FEW ? nodes.filter((node) => incomplete.has(node)) : []
    return this.#mostComplete(owners.length > 0 ? owners : nodes)
  }

  /** Returns one of the nodes that have seen the most. A random one, or else all nodes that start together would ask the same. */
  #mostComplete(nodes: readonly string[]): string | undefined {
    const sumOf = (node: string): number => this.#known.get(node)!.digest.sum
    const most = Math.max(...nodes.map(sumOf))
    const equal = nodes.filter((node) => sumOf(node) >= NEARLY * most)
    return equal[Math.floor(this.#options.random() * equal.length)]
  }
}
