/** The fields of a presence: any JSON object. The set stores it and never reads its fields. */
export type Meta = Readonly<Record<string, unknown>>

/**
 * One presence: a process is in a topic under a key. The row contains the dot under which it was added.
 *
 * A dot `(ref, clock)` is used only once: an update is a new row with a new dot. Rows are never changed, so several sets,
 * payloads and diffs can share one row.
 */
export interface Row<M = Meta> {
  readonly topic: string
  /** The process that holds the presence. Unique within its replica, not across replicas. */
  readonly pid: string
  readonly key: string
  readonly meta: M
  /** The replica that added the row. */
  readonly ref: string
  /** The clock of that replica when it added the row. */
  readonly clock: number
}
