import type * as crdt from "../crdt/delta.ts"
import type * as orswot from "../crdt/orswot.ts"
import type { TrackedMeta } from "./topic-diff.ts"

/** The delta of a set of tracked presences. */
export type Delta = crdt.Delta<TrackedMeta>
/** Everything that a set of tracked presences knows of some replicas. */
export type FullState = orswot.FullState<TrackedMeta>
/** What heartbeats and transfer responses carry from set to set. */
export type Payload = Delta | FullState
