import type { VersionVector } from "./clock.ts"
import { Generation } from "./generation.ts"
import type { Delta } from "./delta.ts"
import type { Meta } from "./row.ts"

/**
 * The recent deltas, joined to generations of increasing size (T20 to T24). The first generation holds the newest
 * deltas only, the last one reaches back the furthest. A node that missed a little is sent a little.
 */
export class Generations<M = Meta> {
  readonly #maxSizes: readonly number[]
  #generations: Generation<M>[] = []

  /** @param maxSizes the maximum size of each generation, ascending; one generation per size */
  constructor(maxSizes: readonly number[] = [100, 1000, 10_000]) {
    this.#maxSizes = maxSizes
  }

  /**
   * Adds a delta: an own one when it is broadcast, a remote one when it has been merged (T22).
   *
   * A generation that grows beyond its size starts over with what the next smaller generation held, this delta
   * included; the smallest starts over with this delta alone (T21). A generation that would have a gap before the delta
   * stays as it is, until a delta arrives that closes the gap.
   */
  push(delta: Delta<M>): void {
    if (this.#generations.length === 0) {
      this.#generations = this.#maxSizes.map(() => new Generation(delta))
      return
    }
    let smaller: () => Delta<M> = () => delta
    this.#generations = this.#generations.map((generation, i) => {
      const isFull = generation.merge(delta) && generation.size > this.#maxSizes[i]!
      const kept = isFull ? new Generation(smaller()) : generation
      smaller = () => generation.toDelta()
      return kept
    })
  }

  /**
   * Returns the smallest delta that extends what a node at `clocks` has seen without a gap (T23), restricted to the
   * replicas of `clocks`. Returns `undefined` if there is none; then the full state is the response.
   */
  extract(clocks: VersionVector): Delta<M> | undefined {
    return this.#generations.find((generation) => generation.extendsWithoutGap(clocks))?.toDelta(clocks)
  }

  /** Forgets a removed replica (T24). Otherwise an old delta would bring its rows back. */
  remove(ref: string): void {
    for (const generation of this.#generations) generation.forget(ref)
  }

  /**
   * Drops all deltas, after a full state has been merged (T22): between the deltas before and after it there is a gap.
   */
  clear(): void {
    this.#generations = []
  }
}
