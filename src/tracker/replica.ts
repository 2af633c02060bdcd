/**
 * Another node's replica, as this node sees it. While it is `down`, after a silence, its rows are kept but not shown.
 */
export interface Replica {
  readonly ref: string
  readonly status: "up" | "down"
  /** The time at which this ref was first seen. All times here are in ms of the monotonic clock (D5). */
  readonly firstSeenAt: number
  /** The time at which its last message arrived. */
  readonly lastSeenAt: number
}

/** The status of a replica. `permdown` means permanently down: the replica must be forgotten. */
export type ReplicaStatus = Replica["status"] | "permdown"

/** How long a replica may be silent, in ms. */
export interface SilenceTimeouts {
  /** After this silence a replica is down: its rows leave (T32). */
  readonly downPeriodMs: number
  /** After this silence a replica is permanently down: everything about it is forgotten (T32). */
  readonly permdownPeriodMs: number
}

/** Returns the status of a replica after its silence up to `now` (T32). */
export function statusAt(now: number, replica: Replica, timeouts: SilenceTimeouts): ReplicaStatus {
  if (now >= replica.lastSeenAt + timeouts.permdownPeriodMs) return "permdown"
  return now >= replica.lastSeenAt + timeouts.downPeriodMs ? "down" : replica.status
}

/** Returns the time at which further silence would change a replica's status. */
export function deadlineOf({ status, lastSeenAt }: Replica, timeouts: SilenceTimeouts): number {
  return lastSeenAt + (status === "up" ? timeouts.downPeriodMs : timeouts.permdownPeriodMs)
}
