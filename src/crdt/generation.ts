import { restrict, type VersionVector } from "./clock.ts"
import { ReplicaDots, type Part } from "./replica-dots.ts"
import type { Delta } from "./delta.ts"
import type { Meta } from "./row.ts"

/**
 * Several consecutive deltas, joined to one delta that can still grow.
 *
 * It grows in place, so the cost of adding a delta depends on the size of that delta only: not on what the generation holds,
 * and not on the number of replicas. Phoenix copies the generation for each delta.
 */
export class Generation<M = Meta> {
  readonly #dots = new Map<string, ReplicaDots<M>>()
  readonly #start: Map<string, number>
  readonly #end: Map<string, number>
  #size = 0

  /**
   * Creates a generation of one delta. If the delta is larger than `maxSize`, the generation is empty and begins at its end:
   * the full state is then not much larger than the delta.
   */
  constructor(delta: Delta<M>, maxSize: number = Infinity) {
    this.#start = new Map(delta.start)
    this.#end = new Map(delta.end)
    this.#mergeParts(delta)
    if (this.#size <= maxSize) return
    this.#start = new Map(delta.end)
    this.#dots.clear()
    this.#size = 0
  }

  /** The number of rows plus the number of ranges of seen dots, since both are sent. `maxDeltaSizes` limits it. */
  get size(): number {
    return this.#size
  }

  /**
   * Joins a delta if there is no gap between the two (T19): for each replica that both cover, one begins no later than
   * the other ends. Otherwise it changes nothing and returns `false`. A response with a gap would claim to be complete up
   * to its end, but would lack the dots in the gap.
   */
  merge(delta: Delta<M>): boolean {
    for (const [ref, end] of delta.end) if (end < (this.#start.get(ref) ?? 0)) return false
    for (const [ref, start] of delta.start) if ((this.#end.get(ref) ?? start) < start) return false
    // A ref that only one side has keeps its clock (T19): a delta without dots of a replica requires none of them.
    for (const [ref, start] of delta.start) this.#start.set(ref, Math.min(start, this.#start.get(ref) ?? start))
    for (const [ref, end] of delta.end) this.#end.set(ref, Math.max(end, this.#end.get(ref) ?? 0))
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
    this.#size -= this.#dots.get(ref)?.size ?? 0
    this.#dots.delete(ref)
    this.#start.delete(ref)
    this.#end.delete(ref)
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
      this.#size -= dots.size
      dots.merge(part)
      this.#size += dots.size
    }
  }
}

const ALL = { has: () => true }
