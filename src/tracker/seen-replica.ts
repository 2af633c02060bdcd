import type { Row } from "./topic-diff.ts"

/** What a node has seen of one start of a node, itself included. It shows why two nodes disagree. */
export interface SeenReplica {
  /** The node's name and a random part, which differs at each start. */
  readonly ref: string
  readonly node: string
  /** `down` if the node has been silent for the down period: its rows are kept, and not shown. */
  readonly status: "up" | "down"
  /**
   * The numbers of the seen changes, as ranges `[from, to, from, to, …]`. A first range that starts at 1 is the context: all
   * changes up to its end are seen. The other ranges are the cloud, beyond a gap.
   */
  readonly seen: readonly number[]
  /** The rows that were not removed. Each has the number of the change that added it. */
  readonly rows: readonly (Row & { readonly clock: number })[]
}
