import type { PubSub } from "../../src/pubsub/pubsub.ts"
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

/** What a seeded run came to: its mistakes, none in a correct run, and how often each thing happened. */
export interface SeededRun {
  readonly mistakes: readonly string[]
  readonly seen: ReadonlyMap<string, number>
}

/** A rule that is broken on purpose: what a node receives instead of a message between services; `undefined` drops it. */
export type Breach = (message: Record<string, unknown>) => object | undefined

/** Nodes with services, in virtual time. */
export class SeededServices {
  readonly network: SeededNetwork
  readonly #breach: Breach | undefined

  constructor(options: Partial<SeededNetworkOptions> = {}, breach?: Breach) {
    this.network = new SeededNetwork({ seed: 1, ...options })
    this.#breach = breach
  }

  start(name: string, options: Partial<ServicesOptions> = {}, tracking: TrackerOptions = {}): ServiceNode {
    const node = this.network.node(name)
    const { timers } = node
    const pubsub = this.#breach === undefined ? node.pubsub : breaking(node.pubsub, this.#breach)
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

function breaking(pubsub: PubSub, breach: Breach): PubSub {
  const receiving: Pick<PubSub, "subscribe"> = {
    subscribe(topic, receive) {
      if (!topic.startsWith("services:")) return pubsub.subscribe(topic, receive)
      return pubsub.subscribe(topic, (bytes, from) => {
        const message = breach(JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>)
        if (message !== undefined) receive(new TextEncoder().encode(JSON.stringify(message)), from)
      })
    },
  }
  return Object.assign(Object.create(pubsub) as PubSub, receiving)
}
