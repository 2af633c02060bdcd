import type * as crdt from "../crdt/delta.ts"
import type * as orswot from "../crdt/orswot.ts"
import type { TrackedMeta } from "./topic-diff.ts"

/** The delta of a set of tracked presences. */
export type Delta = crdt.Delta<TrackedMeta>
/** Everything that a set of tracked presences knows of some replicas. */
export type FullState = orswot.FullState<TrackedMeta>
/** The content of heartbeats and transfer responses: the changes of one set, or its state, for another set to merge. */
export type Payload = Delta | FullState
