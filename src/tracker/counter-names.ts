import type { Refusal } from "./tracker-messages.ts"

/** Why the tracker refuses a message: it cannot be decoded (`Refusal`), or its sender is not accepted. */
export type RefusalReason = Refusal | "echo" | "sender" | "pool" | "crowded" | "departed" | "unknown"

/** The names of the tracker's counters. */
export type TrackerCounter =
  | "tracker_unsent"
  | "tracker_overtaken"
  | "tracker_name_conflicts"
  | `tracker_refused_${RefusalReason}`
