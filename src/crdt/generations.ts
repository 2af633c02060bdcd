import type { VersionVector } from "./clock.ts"
import { Generation } from "./generation.ts"
import type { Delta } from "./delta.ts"

/**
 * The deltas of late, in generations from the newest and smallest to the widest (T20 to T24), so that a node that
 * missed a little is sent a little.
 */
export class Generations {
  readonly #maxSizes: readonly number[]
  #generations: Generation[] = []

  /** `maxSizes`: the greatest size of each generation, ascending; one size, one generation. */
  constructor(maxSizes: readonly number[] = [100, 1000, 10_000]) {
    this.#maxSizes = maxSizes
  }

  /**
   * Takes in a delta: an own one when it is broadcast, a remote one when it has been merged (T22).
   *
   * A generation that grows beyond its size starts anew as what the one before it held, with this delta (T21). One
   * that the delta does not touch stays as it is, until a delta arrives that closes the gap.
   */
  push(delta: Delta): void {
    if (this.#generations.length === 0) {
      this.#generations = this.#maxSizes.map(() => new Generation(delta))
      return
    }
    let carried: () => Delta = () => delta
    this.#generations = this.#generations.map((generation, i) => {
      const full = generation.merge(delta) && generation.size > this.#maxSizes[i]!
      const kept = full ? new Generation(carried()) : generation
      carried = () => generation.toDelta()
      return kept
    })
  }

  /**
   * The smallest delta that brings who stands at `clocks` further without a gap (T23), restricted to the replicas
   * of `clocks`; `undefined` when there is none, and the full state is the answer.
   */
  extract(clocks: VersionVector): Delta | undefined {
    return this.#generations.find((generation) => generation.answers(clocks))?.toDelta(clocks)
  }

  /** Forgets a removed replica (T24); its rows would otherwise come back from an old delta. */
  remove(ref: string): void {
    for (const generation of this.#generations) generation.forget(ref)
  }

  /** Starts anew, for when a full state has been merged (T22): the deltas before it do not touch those after. */
  clear(): void {
    this.#generations = []
  }
}
