import type { PubSubStatus } from "../../pubsub/pubsub.ts"
import type { NodeStatus } from "../../tracker/tracker.ts"
import type { Distribution } from "./counters.ts"

/** What a server is at this moment, and what it has counted since it was made. */
export interface Stats {
  /** This node's name. */
  readonly node: string
  /** `idle` before `listen` or `attach`, `closing` from the call of `close` on. */
  readonly status: "idle" | "listening" | "closing"
  /** How it stands with its engine; `undefined` when it is alone. */
  readonly bus: PubSubStatus | undefined
  readonly connections: number
  /** Clients, each counted once for each topic that it has joined. */
  readonly channels: number
  /** Topics with a channel here. */
  readonly topics: number
  /** Presences of all nodes in sight. */
  readonly trackerRows: number
  /** The other nodes, and how long they have been silent. */
  readonly nodes: readonly NodeStatus[]
  /** By the names in `metrics.ts`. */
  readonly counters: Readonly<Record<string, number>>
  readonly sizes: Readonly<Record<string, Distribution>>
}

/** Why a server should be sent no clients now; empty when it should. */
export function problemsOf({ status, bus }: Stats): string[] {
  const problems = status === "listening" ? [] : [status === "idle" ? "not listening yet" : "closing"]
  if (bus !== undefined && bus !== "connected") problems.push(`the bus is ${bus}`)
  return problems
}
