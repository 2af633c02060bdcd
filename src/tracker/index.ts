/**
 * Tracks presences on all nodes of a cluster, without a database, a leader or synchronized wall clocks.
 *
 * ```ts
 * const tracker = createTracker({ pubsub: await redis("redis://localhost") })
 * tracker.onDiff((diff) => …)
 * tracker.track("pid-1", "rooms:lobby", "ada", { status: "avail" })
 * tracker.list("rooms:lobby")
 * ```
 *
 * @packageDocumentation
 */

// the tracker
export { createTracker } from "./tracker.ts"
export type { NodeStatus, Tracker, TrackerOptions } from "./tracker.ts"
export type { SeenReplica } from "./seen-replica.ts"
export type { TrackerTiming } from "./timing.ts"

// presences and diffs
export type { Diff, Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"

// errors and time
export { ConfigError, RollcallError } from "../error.ts"
export type { Timers } from "../timers.ts"
