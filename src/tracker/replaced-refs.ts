import { nodeOf } from "./replica-ref.ts"

/** The maximum number of replaced refs of one node, so that one that restarts again and again does not fill the memory. */
const MAX_PER_NODE = 4

/** A ref that its node no longer uses, and whose rows are still shown. */
interface ReplacedRef {
  readonly successor: string
  /** The successor's state has arrived when so many of its dots have been seen. */
  readonly clock: number
  /** The rows are shown until this time at the latest. */
  until: number
}

/**
 * The refs of nodes that are up under a new ref, and whose rows are shown until the state of the new ref has arrived (T30).
 *
 * Counter-example without them: a node that another one has forgotten restarts under a new ref (D9). A third node loses the
 * heartbeat that carries the rows, and learns of the new ref from the next one. If it dropped the old rows now, all users of
 * the node would leave and join again, although nothing has happened to them.
 */
export class ReplacedRefs {
  readonly #maxMs: number
  readonly #refs = new Map<string, ReplacedRef>()

  /** @param maxMs how long the rows of a replaced ref are shown at most, in ms */
  constructor(maxMs: number) {
    this.#maxMs = maxMs
  }

  get all(): readonly string[] {
    return [...this.#refs.keys()]
  }

  /**
   * Adds a ref that `successor` replaces, whose own clock is `clock`. Removes and returns the oldest refs of the node beyond the
   * maximum.
   */
  add(ref: string, successor: string, clock: number, now: number): readonly string[] {
    // After two restarts in quick succession, the rows of both old refs wait for the state of the third one.
    for (const [older, { successor: replaced, until }] of this.#refs) {
      if (replaced === ref) this.#refs.set(older, { successor, clock, until })
    }
    this.#refs.set(ref, { successor, clock, until: now + this.#maxMs })
    const node = nodeOf(ref)
    const ofNode = this.all.filter((other) => nodeOf(other) === node)
    const excess = new Set(ofNode.slice(0, -MAX_PER_NODE))
    return this.#take((_, other) => excess.has(other))
  }

  /** Removes and returns the refs whose successors' states have arrived. `clockOf` returns how much was seen of a replica. */
  takeArrived(clockOf: (ref: string) => number | undefined): readonly string[] {
    return this.#take(({ successor, clock }) => (clockOf(successor) ?? 0) >= clock)
  }

  /** Removes and returns the refs whose time is up. */
  takeExpired(now: number): readonly string[] {
    return this.#take(({ until }) => now >= until)
  }

  /** Removes and returns the refs of a node that is no longer up. */
  takeOf(node: string): readonly string[] {
    return this.#take((_, ref) => nodeOf(ref) === node)
  }

  /** Removes one ref. Returns whether it was there. */
  delete(ref: string): boolean {
    return this.#refs.delete(ref)
  }

  /** Returns the time at which `takeExpired` may find the next ref; infinity if there is none. */
  nextDeadline(): number {
    let next = Infinity
    for (const { until } of this.#refs.values()) next = Math.min(next, until)
    return next
  }

  /** Extends all deadlines by the time for which this node itself could not receive messages (D11). */
  extendDeadlines(ms: number, now: number): void {
    for (const replaced of this.#refs.values()) replaced.until = Math.min(now + this.#maxMs, replaced.until + ms)
  }

  #take(isDue: (replaced: ReplacedRef, ref: string) => boolean): readonly string[] {
    if (this.#refs.size === 0) return []
    const due = [...this.#refs].filter(([ref, replaced]) => isDue(replaced, ref)).map(([ref]) => ref)
    for (const ref of due) this.#refs.delete(ref)
    return due
  }
}
