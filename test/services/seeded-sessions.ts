import { os } from "@orpc/server"
import { loadOrpc } from "../../src/services/orpc.ts"
import type { PlacedKind, Placement, PlaceOptions, ServicesOptions, StopReason } from "../../src/services/index.ts"
import type { SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import { SeededServices, type ServiceNode } from "./seeded-services.ts"

export interface Counter {
  count: number
}

/** A node that runs counters. */
export interface Taking extends ServiceNode {
  readonly sessions: Placement
  /** What happened to the processes of this node, such as "+ada 3" and "-ada moved 3". */
  readonly seen: string[]
}

const context = os.$context<{ id: string; process: Counter }>()

/** Nodes that run counters, each with a state that moves. */
export class Sessions {
  readonly cluster: SeededServices

  constructor(network: Partial<SeededNetworkOptions> = {}) {
    this.cluster = new SeededServices(network)
  }

  async start(
    name: string,
    options: PlaceOptions = {},
    more: Partial<PlacedKind<Counter, number>> = {},
    servicesOptions: Partial<ServicesOptions> = {},
  ): Promise<Taking> {
    await loadOrpc()
    const node = this.cluster.start(name, servicesOptions)
    const seen: string[] = []
    const sessions = node.services.place<Counter, number>(
      "session",
      {
        start(id, count = 0) {
          seen.push(`+${id} ${count}`)
          return { count }
        },
        stop(id, reason: StopReason, { count }) {
          seen.push(`-${id} ${reason} ${count}`)
          return count
        },
        merge(id, count, process) {
          seen.push(`~${id} ${count}`)
          process.count += count
        },
        router: {
          add: context.handler(({ context: { process }, input }) => (process.count += Number(input))),
          where: context.handler(({ context: { id } }) => `${id} on ${name}`),
        },
        ...more,
      },
      options,
    )
    return { ...node, sessions, seen }
  }

  /** Lets time pass until a promise has settled, in steps of so many ms. */
  async until<Value>(promise: Promise<Value>, stepMs = 20): Promise<Value> {
    const waiting = new Set([promise])
    const settled = (): void => waiting.clear()
    promise.then(settled, settled)
    for (let turns = 0; waiting.size > 0 && turns < 5_000; turns += 1) await this.cluster.run(stepMs)
    return promise
  }
}
