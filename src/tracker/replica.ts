/** One other node, as heard from here: `up`, or `down` when it has been silent, its rows kept but not shown. */
export interface Replica {
  readonly ref: string
  readonly status: "up" | "down"
  /** When it came to stand for its node. */
  readonly since: number
  /** When it was last heard, in the monotonic milliseconds of whoever hands in `now` (D5). */
  readonly heard: number
}

/** How long a replica may be silent, in ms. */
export interface SilenceTimeouts {
  /** Silent for so long, a replica is down: its rows leave (T32). */
  readonly downPeriodMs: number
  /** Silent for so long, a replica is gone: everything about it is forgotten (T32). */
  readonly permdownPeriodMs: number
}

/** What silence makes of a replica by `now` (T32). */
export function judge(replica: Replica, now: number, patience: SilenceTimeouts): "up" | "down" | "gone" {
  if (now >= replica.heard + patience.permdownPeriodMs) return "gone"
  return now >= replica.heard + patience.downPeriodMs ? "down" : replica.status
}

/** The next moment at which silence would change a replica's status. */
export function deadline({ status, heard }: Replica, patience: SilenceTimeouts): number {
  return heard + (status === "up" ? patience.downPeriodMs : patience.permdownPeriodMs)
}
