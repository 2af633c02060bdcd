import type { Meter } from "./meter.ts"
import { DROPS, SIZES, TRAFFIC } from "./metrics.ts"
import type { CounterName, SizeName } from "./metrics.ts"
import type { Stats } from "./stats.ts"

/** A histogram of sizes. */
export interface Distribution {
  readonly count: number
  readonly sum: number
  /** For each bound, in ascending order, the number of sizes up to the bound. */
  readonly atMost: readonly (readonly [bound: number, count: number])[]
}

/** How many reasons of refusals are counted separately. An application may put anything into a reason, such as a user's name. */
const MAX_REASONS = 100
/** The characters of a reason that are kept. */
const MAX_REASON_LENGTH = 64

const BOUNDS = [1, 2, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000] as const

/**
 * The counters and sizes of one server, and the meters that they are passed on to.
 *
 * A broadcast counts each of its frames. So a count is only one look-up and one addition, and allocates nothing.
 */
export class Counters {
  readonly #counters = new Map<string, { value: number }>()
  readonly #sizes = new Map<string, Sizes>()
  readonly #refusals = new Map<string, number>()
  readonly #failed: (error: unknown) => void
  #meters: readonly Meter[] = []

  /** @param failed called with the error that a meter threw; that meter is not called again */
  constructor(meter: Meter | undefined, failed: (error: unknown) => void) {
    this.#failed = failed
    // A counter of an event that has not happened yet is reported as 0, not left out.
    for (const name of Object.keys({ ...TRAFFIC, ...DROPS })) this.#counters.set(name, { value: 0 })
    for (const name of Object.keys(SIZES)) this.#sizes.set(name, new Sizes())
    if (meter !== undefined) this.forward(meter)
  }

  count(name: CounterName, by = 1): void {
    this.countCustom(name, by)
  }

  /** Counts under any name. Transports that are not part of this package have counters of their own. */
  countCustom(name: string, by = 1): void {
    const counter = this.#counters.get(name)
    if (counter === undefined) this.#counters.set(name, { value: by })
    else counter.value += by
    for (const meter of this.#meters) {
      try {
        meter.count(name, by)
      } catch (error) {
        this.#drop(meter, error)
      }
    }
  }

  /** Counts a refused client under `refused_connects`, and by its reason. */
  countRefusal(reason: string): void {
    const short = reason.slice(0, MAX_REASON_LENGTH)
    const name = this.#refusals.has(short) || this.#refusals.size < MAX_REASONS ? short : "other"
    this.#refusals.set(name, (this.#refusals.get(name) ?? 0) + 1)
    this.count("refused_connects")
  }

  observe(name: SizeName, value: number): void {
    this.#sizes.get(name)?.add(value)
    for (const meter of this.#meters) {
      try {
        meter.observe?.(name, value)
      } catch (error) {
        this.#drop(meter, error)
      }
    }
  }

  /** Passes all counts and sizes to a meter from now on. */
  forward(meter: Meter): void {
    this.#meters = [...this.#meters, meter]
  }

  /** Drops a meter that threw. Its error must not interrupt the code that counts. */
  #drop(meter: Meter, error: unknown): void {
    this.#meters = this.#meters.filter((other) => other !== meter)
    this.#failed(error)
  }

  /** Returns everything that was counted. */
  report(): Pick<Stats, "counters" | "refusals" | "sizes"> {
    return { counters: this.counters(), refusals: this.refusals(), sizes: this.sizes() }
  }

  counters(): Record<string, number> {
    return Object.fromEntries(Array.from(this.#counters, ([name, { value }]) => [name, value]))
  }

  /** Returns the refused clients by reason. */
  refusals(): Record<string, number> {
    return Object.fromEntries(this.#refusals)
  }

  sizes(): Record<string, Distribution> {
    return Object.fromEntries(Array.from(this.#sizes, ([name, sizes]) => [name, sizes.distribution()]))
  }
}

/** The histogram of one name. */
class Sizes {
  #count = 0
  #sum = 0
  /** For each bound, the number of sizes up to the bound and above the bound before. */
  readonly #buckets = BOUNDS.map(() => 0)

  add(value: number): void {
    this.#count += 1
    this.#sum += value
    const bucket = BOUNDS.findIndex((bound) => value <= bound)
    if (bucket !== -1) this.#buckets[bucket]! += 1
  }

  distribution(): Distribution {
    let total = 0
    const atMost = BOUNDS.map((bound, index) => [bound, (total += this.#buckets[index]!)] as const)
    return { count: this.#count, sum: this.#sum, atMost }
  }
}
