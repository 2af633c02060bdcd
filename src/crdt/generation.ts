import { lowerBound, restrict, upperBound, type VersionVector } from "./clock.ts"
import { ReplicaDots, type Part } from "./replica-dots.ts"
import type { Delta } from "./delta.ts"
import type { Meta } from "./row.ts"

/**
 * Several consecutive deltas, joined to one delta that can still grow.
 *
 * It grows in place, so the cost of adding a delta depends on the size of that delta only. Phoenix copies the generation
 * for each delta.
 */
export class Generation<M = Meta> {
  readonly #dots = new Map<string, ReplicaDots<M>>()
  #start: VersionVector
  #end: VersionVector

  /** Creates a generation of one delta. */
  constructor(delta: Delta<M>) {
    this.#start = delta.start
    this.#end = delta.end
    this.#mergeParts(delta)
  }

  /** The number of rows plus the number of ranges of seen dots, since both are sent. `maxDeltaSizes` limits it. */
  get size(): number {
    let size = 0
    for (const dots of this.#dots.values()) size += dots.size
    return size
  }

  /**
   * Joins a delta if there is no gap between the two (T19): for each replica that both cover, one begins no later than
   * the other ends. Otherwise it changes nothing and returns `false`. A response with a gap would claim to be complete up
   * to its end, but would lack the dots in the gap.
   */
  merge(delta: Delta<M>): boolean {
    if (!reaches(delta.end, this.#start) || !reaches(this.#end, delta.start)) return false
    this.#start = lowerBound(this.#start, delta.start)
    this.#end = upperBound(this.#end, delta.end)
    this.#mergeParts(delta)
    return true
  }

  /** Returns whether it has new dots for a node at `clocks`, and starts no later than those clocks (T23). */
  extendsWithoutGap(clocks: VersionVector): boolean {
    let hasNews = false
    for (const [ref, start] of this.#start) {
      const clock = clocks.get(ref)
      if (clock === undefined) continue
      if (clock < start) return false
      if (clock < (this.#end.get(ref) ?? start)) hasNews = true
    }
    return hasNews
  }

  forget(ref: string): void {
    const others = { has: (other: string) => other !== ref }
    this.#dots.delete(ref)
    this.#start = restrict(this.#start, others)
    this.#end = restrict(this.#end, others)
  }

  /**
   * Returns the replicas of `known` as one delta.
   *
   * The part of the requesting replica is included (D4), because that replica adds the delta to its own generations, and
   * may send it from there to a third node. If the part had only dots and no rows, the third node would remove the rows.
   */
  toDelta(known: { has(ref: string): boolean } = ALL): Delta<M> {
    const parts = new Map<string, Part<M>>()
    for (const [ref, dots] of this.#dots) if (known.has(ref)) parts.set(ref, dots.toPart())
    return { mode: "delta", parts, start: restrict(this.#start, known), end: restrict(this.#end, known) }
  }

  #mergeParts(delta: Delta<M>): void {
    for (const [ref, part] of delta.parts) {
      let dots = this.#dots.get(ref)
      if (dots === undefined) this.#dots.set(ref, (dots = new ReplicaDots(ref)))
      dots.merge(part)
    }
  }
}

const ALL = { has: () => true }

/** Returns whether `end` is not before `start` for any replica in `end`. */
function reaches(end: VersionVector, start: VersionVector): boolean {
  for (const [ref, clock] of end) if (clock < (start.get(ref) ?? 0)) return false
  return true
}
