import { DROPS, SIZES, TRAFFIC } from "./metrics.ts"
import type { Meter } from "./meter.ts"

/** How often which sizes occurred. */
export interface Distribution {
  readonly count: number
  readonly sum: number
  /** How many were not above each bound; the bounds rise. */
  readonly atMost: readonly (readonly [bound: number, count: number])[]
}

const BOUNDS = [1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000] as const

/**
 * What a server has counted since it was made, and to whom it is passed on.
 *
 * A fan-out counts each of its frames: a count is one lookup and an addition, and makes nothing that would have to be
 * thrown away.
 */
export class Counters {
  readonly #counters = new Map<string, { value: number }>()
  readonly #sizes = new Map<string, Sizes>()
  readonly #failed: (error: unknown) => void
  #meters: readonly Meter[] = []

  /** @param failed is told what a meter threw; that one is passed nothing any more */
  constructor(meter: Meter | undefined, failed: (error: unknown) => void) {
    this.#failed = failed
    // What has not happened yet is 0, and not unknown.
    for (const name of Object.keys({ ...TRAFFIC, ...DROPS })) this.#counters.set(name, { value: 0 })
    for (const name of Object.keys(SIZES)) this.#sizes.set(name, new Sizes())
    if (meter !== undefined) this.forward(meter)
  }

  count(name: string, by = 1): void {
    const counter = this.#counters.get(name)
    if (counter === undefined) this.#counters.set(name, { value: by })
    else counter.value += by
    for (const meter of this.#meters) {
      try {
        meter.count(name, by)
      } catch (error) {
        this.#giveUp(meter, error)
      }
    }
  }

  observe(name: keyof typeof SIZES, value: number): void {
    this.#sizes.get(name)?.add(value)
    for (const meter of this.#meters) {
      try {
        meter.observe?.(name, value)
      } catch (error) {
        this.#giveUp(meter, error)
      }
    }
  }

  /** Passes on what is counted from now on. */
  forward(meter: Meter): void {
    this.#meters = [...this.#meters, meter]
  }

  /** Whatever was just being done is not the meter's to break off. */
  #giveUp(meter: Meter, error: unknown): void {
    this.#meters = this.#meters.filter((other) => other !== meter)
    this.#failed(error)
  }

  counters(): Record<string, number> {
    return Object.fromEntries(Array.from(this.#counters, ([name, { value }]) => [name, value]))
  }

  sizes(): Record<string, Distribution> {
    return Object.fromEntries(Array.from(this.#sizes, ([name, sizes]) => [name, sizes.distribution()]))
  }
}

class Sizes {
  #count = 0
  #sum = 0
  readonly #within = BOUNDS.map(() => 0)

  add(value: number): void {
    this.#count += 1
    this.#sum += value
    const bound = BOUNDS.findIndex((most) => value <= most)
    if (bound !== -1) this.#within[bound]! += 1
  }

  distribution(): Distribution {
    let below = 0
    const atMost = BOUNDS.map((bound, index) => [bound, (below += this.#within[index]!)] as const)
    return { count: this.#count, sum: this.#sum, atMost }
  }
}
