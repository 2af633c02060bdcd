import type { VersionVector } from "./clock.ts"
import { Generation } from "./generation.ts"
import type { Delta } from "./delta.ts"
import type { Meta } from "./row.ts"

/**
 * The recent deltas, joined to generations of increasing size (T20 to T24). The first generation holds only the newest
 * deltas, the last one reaches back the furthest. So a node that missed few changes is sent a small delta.
 */
export class Generations<M = Meta> {
  readonly #maxSizes: readonly number[]
  #generations: Generation<M>[] = []

  /** @param maxSizes the maximum size of each generation, ascending; one generation per size */
  constructor(maxSizes: readonly number[] = [100, 1000, 10_000]) {
    this.#maxSizes = maxSizes
  }

  /**
   * Adds a delta (T22): an own delta when it is broadcast, a remote delta when it has been merged.
   *
   * A generation that grows beyond its size is replaced by what the next smaller generation held after it joined this
   * delta. The smallest is replaced by this delta alone (T21), or begins anew after it if the delta alone is too large. A
   * generation that would have a gap before the delta does not change, until a delta arrives that closes the gap.
   */
  push(delta: Delta<M>): void {
    if (this.#generations.length === 0) {
      this.#generations = this.#maxSizes.map((maxSize) => new Generation(delta, maxSize))
      return
    }
    let smaller: () => Delta<M> = () => delta
    this.#generations = this.#generations.map((generation, i) => {
      const maxSize = this.#maxSizes[i]!
      const isFull = generation.merge(delta) && generation.size > maxSize
      const kept = isFull ? new Generation(smaller(), maxSize) : generation
      smaller = () => generation.toDelta()
      return kept
    })
  }

  /**
   * Returns the smallest delta that has new dots for a node at `clocks` and leaves no gap after them (T23), restricted to
   * the replicas of `clocks`. Returns `undefined` if there is none; then the full state is the response.
   */
  extract(clocks: VersionVector): Delta<M> | undefined {
    return this.#generations.find((generation) => generation.extendsWithoutGap(clocks))?.toDelta(clocks)
  }

  /** Forgets a removed replica (T24). Otherwise an old delta would bring its rows back. */
  remove(ref: string): void {
    for (const generation of this.#generations) generation.forget(ref)
  }

  /**
   * Drops all deltas. To be called after a full state has been merged (T22), because there is a gap between the deltas
   * before it and those after it.
   */
  clear(): void {
    this.#generations = []
  }
}
