/** How long the calls of one service took that ended in one way. */
export interface CallDurations {
  readonly service: string
  /**
   * `ok`, the code of an error, `defined_error` for one that the contract of the method defines, `aborted`, `failed`, or `cast`
   * for a call that was sent without waiting for its answer.
   */
  readonly outcome: string
  readonly count: number
  /** The sum of all times, in ms. */
  readonly sumMs: number
  /** For each bound in ms, in ascending order, the number of calls that took up to this long. */
  readonly atMostMs: readonly (readonly [boundMs: number, count: number])[]
}

/** In ms. A call within a process takes about 0.05 ms, one over a bus 0.5 ms, and most deadlines are 5 s. */
const BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000] as const

/** How many services are counted by name. The name of a service may come from a user. */
const MAX_SERVICES = 100
/** How many of them may be names that no instance has ever had. */
const MAX_MISSING = 20
const OTHER = "other"

/** The histograms of durations, by service and outcome. An addition allocates nothing. */
export class CallHistograms {
  readonly #services = new Map<string, Map<string, Histogram>>()

  add(service: string, outcome: string, ms: number): void {
    let outcomes = this.#services.get(service)
    if (outcomes === undefined) {
      const limit = outcome === "no_instance" ? MAX_MISSING : MAX_SERVICES
      const others = this.#services.has(OTHER) ? 0 : 1
      if (this.#services.size + others >= limit && service !== OTHER) return this.add(OTHER, outcome, ms)
      this.#services.set(service, (outcomes = new Map<string, Histogram>()))
    }
    let histogram = outcomes.get(outcome)
    if (histogram === undefined) outcomes.set(outcome, (histogram = new Histogram()))
    histogram.add(ms)
  }

  /** Returns all histograms, in the order of their first calls. */
  report(): readonly CallDurations[] {
    return Array.from(this.#services, ([service, outcomes]) =>
      Array.from(outcomes, ([outcome, histogram]) => ({ service, outcome, ...histogram.report() })),
    ).flat()
  }
}

class Histogram {
  #count = 0
  #sumMs = 0
  /** For each bound, the number of times up to the bound and above the bound before. */
  readonly #buckets = BOUNDS.map(() => 0)

  add(ms: number): void {
    this.#count += 1
    this.#sumMs += ms
    let bucket = 0
    while (bucket < BOUNDS.length && ms > BOUNDS[bucket]!) bucket += 1
    if (bucket < BOUNDS.length) this.#buckets[bucket]! += 1
  }

  report(): Pick<CallDurations, "count" | "sumMs" | "atMostMs"> {
    let total = 0
    const atMostMs = BOUNDS.map((bound, index) => [bound, (total += this.#buckets[index]!)] as const)
    return { count: this.#count, sumMs: this.#sumMs, atMostMs }
  }
}
