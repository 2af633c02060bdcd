import { dominates, nodesToAsk, restrict, type NodeClock, type VersionVector } from "../crdt/clock.ts"
import { setUnref, type Timers } from "../timers.ts"

/** How long the clocks of other nodes are collected before a request is sent to a node that is ahead, in ms. */
const GATHER_MS = 25
/** How long the next chunk of a response may take, in ms. */
const CHUNK_TIMEOUT_MS = 500

/** The options of `TransferRequests`. */
export interface TransferRequestsOptions {
  readonly node: string
  readonly timers: Timers
  /** Returns how much this node has seen of each replica that is up. */
  clocks(): VersionVector
  isUp(node: string): boolean
  sendRequest(node: string, clocks: VersionVector): void
}

/** Decides when this node sends transfer requests, and to which nodes that are ahead of it (T34). */
export class TransferRequests {
  readonly #options: TransferRequestsOptions
  /** The latest clocks received, by node. */
  readonly #clocks = new Map<string, NodeClock>()
  /**
   * The nodes that have sent nothing since a request was sent to them. They may be unable to respond, and get no
   * further request.
   */
  readonly #unanswered = new Set<string>()
  #timer: unknown

  constructor(options: TransferRequestsOptions) {
    this.#options = options
  }

  /** Records the clocks of a node's heartbeat. */
  receivedClocks(node: string, clocks: VersionVector): void {
    this.#clocks.set(node, { name: node, clocks })
    this.#unanswered.delete(node)
    this.#requestIfBehind(clocks)
  }

  /**
   * Records a complete response that brought something new. A delta may cover only a part of the missing dots, so
   * another request may follow.
   */
  receivedResponse(node: string): void {
    this.#unanswered.delete(node)
    for (const { clocks } of this.#clocks.values()) this.#requestIfBehind(clocks)
  }

  /**
   * Records a chunk of a response that has more chunks. No request is sent until the response is complete, or no chunk has
   * arrived for half a second. A node that gets a request earlier would send everything once more.
   */
  receivedChunk(node: string): void {
    this.#unanswered.delete(node)
    this.#options.timers.clear(this.#timer)
    this.#timer = setUnref(this.#options.timers, () => this.#sendRequests(), CHUNK_TIMEOUT_MS)
  }

  /** Forgets a node that is permanently down. */
  forget(node: string): void {
    this.#clocks.delete(node)
    this.#unanswered.delete(node)
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
  }

  /**
   * Schedules a request if `clocks` show that something is missing here.
   *
   * During the delay, the clocks of further nodes arrive, so that one node gets a request instead of every node. And a
   * message that was only overtaken by another one arrives meanwhile.
   */
  #requestIfBehind(clocks: VersionVector): void {
    if (this.#timer !== undefined) return
    const own = this.#options.clocks()
    if (dominates(own, restrict(clocks, own))) return
    this.#timer = setUnref(this.#options.timers, () => this.#sendRequests(), GATHER_MS)
  }

  #sendRequests(): void {
    this.#timer = undefined
    const name = this.#options.node
    const own = this.#options.clocks()
    // Replicas that are not up here are ignored, because the response would not contain them (issue #135 of Phoenix).
    const candidates = [...this.#clocks.values()]
      .filter((clock) => !this.#unanswered.has(clock.name) && this.#options.isUp(clock.name))
      .map((clock) => ({ name: clock.name, clocks: restrict(clock.clocks, own) }))
    for (const node of nodesToAsk(candidates, { name, clocks: own })) {
      this.#unanswered.add(node)
      this.#options.sendRequest(node, own)
    }
  }
}
