import { SERVICES_COUNTERS } from "./counter-names.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { nonThrowing } from "./non-throwing.ts"

/** The counters of the services of one node. */
export class ServicesCounts {
  readonly #counts: Record<ServicesCounter, number>
  /** Counts once, and passes the name on. */
  readonly count: (name: ServicesCounter) => void

  constructor(passOn: ((name: ServicesCounter) => void) | undefined) {
    const counts = Object.fromEntries(SERVICES_COUNTERS.map((name) => [name, 0])) as Record<ServicesCounter, number>
    this.#counts = counts
    const passedOn = nonThrowing(passOn)
    this.count = (name) => {
      counts[name] += 1
      passedOn(name)
    }
  }

  report(): Record<ServicesCounter, number> {
    return { ...this.#counts }
  }
}
