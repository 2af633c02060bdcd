import { dominates, nodesToAsk, restrict, type NodeClock, type VersionVector } from "../crdt/clock.ts"
import { setUnref, type Timers } from "../timers.ts"

/** How long clocks are gathered before one of those who know more is asked, in ms. */
const GATHER_MS = 25
/** How long the next piece of an answer may take, in ms. */
const PIECE_MS = 500

/** What catching up is given. */
export interface TransferRequestsOptions {
  readonly node: string
  readonly timers: Timers
  /** What has been seen here of each replica in sight. */
  clocks(): VersionVector
  /** Whether a node is up. */
  stands(node: string): boolean
  ask(node: string, clocks: VersionVector): void
}

/** Who knows more than we do, and who of them is asked (T34). */
export class TransferRequests {
  readonly #options: TransferRequestsOptions
  /** The clocks heard last, by node. */
  readonly #heard = new Map<string, NodeClock>()
  /** Whom we have asked and who has said nothing since: perhaps it cannot. */
  readonly #asked = new Set<string>()
  #timer: unknown

  constructor(options: TransferRequestsOptions) {
    this.#options = options
  }

  /** Takes note of what a node has seen, as its heartbeat says. */
  heard(node: string, clocks: VersionVector): void {
    this.#heard.set(node, { name: node, clocks })
    this.#asked.delete(node)
    this.#gather(clocks)
  }

  /** Takes note of an answer that brought something: a delta may be a part of the way only. */
  answered(node: string): void {
    this.#asked.delete(node)
    for (const { clocks } of this.#heard.values()) this.#gather(clocks)
  }

  /**
   * Takes note of a piece of an answer that goes on: nobody is asked before it is over, or stops. Whoever was asked now,
   * this node or another, would send all of it once more.
   */
  continued(): void {
    this.#options.timers.clear(this.#timer)
    this.#timer = setUnref(this.#options.timers, () => this.#ask(), PIECE_MS)
  }

  /** Forgets a node that is gone. */
  forget(node: string): void {
    this.#heard.delete(node)
    this.#asked.delete(node)
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
  }

  /**
   * Waits for others to say what they have seen, if `clocks` say that something is missing here: one of them is asked then,
   * instead of each, and what was only overtaken on its way is there by then.
   */
  #gather(clocks: VersionVector): void {
    if (this.#timer !== undefined) return
    const own = this.#options.clocks()
    if (dominates(own, restrict(clocks, own))) return
    this.#timer = setUnref(this.#options.timers, () => this.#ask(), GATHER_MS)
  }

  #ask(): void {
    this.#timer = undefined
    const name = this.#options.node
    const own = this.#options.clocks()
    // Replicas that are not in sight here are no reason to ask: the answer would not speak of them (#135 of Phoenix).
    const able = [...this.#heard.values()]
      .filter((clock) => !this.#asked.has(clock.name) && this.#options.stands(clock.name))
      .map((clock) => ({ name: clock.name, clocks: restrict(clock.clocks, own) }))
    for (const node of nodesToAsk(able, { name, clocks: own })) {
      this.#asked.add(node)
      this.#options.ask(node, own)
    }
  }
}
