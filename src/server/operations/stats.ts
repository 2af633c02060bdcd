import type { PubSubStatus } from "../../pubsub/pubsub.ts"
import type { ServicesStats } from "../../services/services.ts"
import type { NodeStatus } from "../../tracker/tracker.ts"
import type { Distribution } from "./counters.ts"

/** The state of a server at one moment, and everything that it has counted since it was created. */
export interface Stats {
  /** This node's name. */
  readonly node: string
  /**
   * `closing` after `close` was called, `listening` while a port is open or an HTTP server is attached, otherwise `idle`.
   */
  readonly status: "idle" | "listening" | "closing"
  /** The status of the bus to the other nodes; `undefined` when there is no bus. */
  readonly bus: PubSubStatus | undefined
  /**
   * Since when the bus has been away, as an ISO time; `undefined` while it is connected. Since then, the presences of other
   * nodes are shown as they were.
   */
  readonly busAwaySince: string | undefined
  /** How long the bus has been away, in ms; 0 while it is connected. */
  readonly busAwayMs: number
  /** Why the bus is away, in the words of the engine, if it gives a reason. */
  readonly busProblem: string | undefined
  /**
   * Why the engine refuses topics that this node always needs, such as the tracker's, whose users it does not see. Each is
   * requested again every 10 s. Normally empty.
   */
  readonly busRefusals: readonly string[]
  readonly connections: number
  /** Joined channels: a client counts once for each topic that it has joined. */
  readonly channels: number
  /** Topics with a channel on this node. */
  readonly topics: number
  /** Presences that this node can see, of all nodes including itself. */
  readonly trackerRows: number
  /** The other nodes, and how long each has been silent. */
  readonly nodes: readonly NodeStatus[]
  /** Counters by name; `metrics.ts` lists the names. */
  readonly counters: Readonly<Record<string, number>>
  /**
   * Clients that were refused before they had a connection (`refused_connects`), by reason: `origin`, `version`, what `connect`
   * returned as `{ error }`, the code of the RollcallError that it threw, or `refused`. At most 100 reasons, then `other`.
   */
  readonly refusals: Readonly<Record<string, number>>
  readonly sizes: Readonly<Record<string, Distribution>>
  /** What `server.services` has done; `undefined` before its first use. */
  readonly services: ServicesStats | undefined
}

/** Returns the reasons for which no clients should be sent to a server now. Without such reasons it is empty. */
export function problemsOf({ status, bus, busAwaySince, busProblem, busRefusals }: Stats): string[] {
  const problems = status === "listening" ? [] : [status === "idle" ? "not listening yet" : "closing"]
  if (bus !== undefined && bus !== "connected") {
    const since = busAwaySince === undefined ? "" : ` since ${busAwaySince}`
    problems.push(`the bus is ${bus}${since}${busProblem === undefined ? "" : `: ${busProblem}`}`)
  }
  return [...problems, ...busRefusals]
}
