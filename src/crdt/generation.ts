import { lowerBound, restrict, upperBound, type VersionVector } from "./clock.ts"
import { ReplicaDots, type Part } from "./replica-dots.ts"
import type { Delta } from "./delta.ts"

/**
 * Several deltas in a row, joined to one that can still take more.
 *
 * Grows in place, so that one more delta costs what that delta holds. Phoenix copies the generation for each.
 */
export class Generation {
  readonly #dots = new Map<string, ReplicaDots>()
  #start: VersionVector
  #end: VersionVector

  /** A generation of one delta. */
  constructor(delta: Delta) {
    this.#start = delta.start
    this.#end = delta.end
    this.#take(delta)
  }

  /** What `max_delta_sizes` bounds: rows and ranges of seen dots, which is what there is to send. */
  get size(): number {
    let size = 0
    for (const dots of this.#dots.values()) size += dots.size
    return size
  }

  /**
   * Joins a delta if the two leave no gap (T19): for each replica in the ranges of both, one begins no later than
   * the other ends. Otherwise changes nothing and returns `false`: an answer made of both would say that it
   * closes the gap to its end, and lack what is missing between the two.
   */
  merge(delta: Delta): boolean {
    if (!touches(delta.end, this.#start) || !touches(this.#end, delta.start)) return false
    this.#start = lowerBound(this.#start, delta.start)
    this.#end = upperBound(this.#end, delta.end)
    this.#take(delta)
    return true
  }

  /** Whether it gives who stands at `clocks` something new, and nothing with a gap before it (T23). */
  answers(clocks: VersionVector): boolean {
    let news = false
    for (const [ref, start] of this.#start) {
      const clock = clocks.get(ref)
      if (clock === undefined) continue
      if (clock < start) return false
      if (clock < (this.#end.get(ref) ?? start)) news = true
    }
    return news
  }

  forget(ref: string): void {
    const others = { has: (other: string) => other !== ref }
    this.#dots.delete(ref)
    this.#start = restrict(this.#start, others)
    this.#end = restrict(this.#end, others)
  }

  /**
   * The replicas of `known`, as one delta. The asker's own part is left in (D4): it pushes the delta to its own
   * generations, and a third node that gets it from there would take dots without their rows for removals.
   */
  toDelta(known: { has(ref: string): boolean } = ALL): Delta {
    const parts = new Map<string, Part>()
    for (const [ref, dots] of this.#dots) if (known.has(ref)) parts.set(ref, dots.toPart())
    return { mode: "delta", parts, start: restrict(this.#start, known), end: restrict(this.#end, known) }
  }

  #take(delta: Delta): void {
    for (const [ref, part] of delta.parts) {
      let dots = this.#dots.get(ref)
      if (dots === undefined) this.#dots.set(ref, (dots = new ReplicaDots(ref)))
      dots.merge(part)
    }
  }
}

const ALL = { has: () => true }

/** Whether `end` reaches `start` for each replica that both speak of. */
function touches(end: VersionVector, start: VersionVector): boolean {
  for (const [ref, clock] of end) if (clock < (start.get(ref) ?? 0)) return false
  return true
}
