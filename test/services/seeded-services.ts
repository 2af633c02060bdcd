import { createServices, type Services, type ServicesOptions } from "../../src/services/index.ts"
import { SeededNetwork, type SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { SeededNode } from "../../src/testing/seeded-node.ts"
import { createTracker, type Tracker, type TrackerOptions } from "../../src/tracker/tracker.ts"

/** One node under test. */
export interface ServiceNode {
  readonly node: SeededNode
  readonly tracker: Tracker
  readonly services: Services
  readonly errors: unknown[]
}

/** Nodes with services, in virtual time. */
export class SeededServices {
  readonly network: SeededNetwork

  constructor(options: Partial<SeededNetworkOptions> = {}) {
    this.network = new SeededNetwork({ seed: 1, ...options })
  }

  start(name: string, options: Partial<ServicesOptions> = {}, tracking: TrackerOptions = {}): ServiceNode {
    const node = this.network.node(name)
    const { pubsub, timers } = node
    const { random } = this.network
    const errors: unknown[] = []
    const onError = (error: unknown): void => void errors.push(error)
    const tracker = createTracker({ pubsub, timers, random, onError, ...tracking })
    const services = createServices({
      tracker,
      pubsub,
      timers,
      random,
      wallClock: () => this.network.now,
      onError,
      ...options,
    })
    return { node, tracker, services, errors }
  }

  run(ms: number): Promise<void> {
    return this.network.run(ms)
  }
}
