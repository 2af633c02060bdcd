/** The fields of a presence: any JSON object. The set stores it and never reads its fields. */
export type Meta = Readonly<Record<string, unknown>>

/**
 * One presence: a process is in a topic under a key. The row contains the dot under which it was added.
 *
 * A dot `(ref, clock)` is used only once: an update is a new row with a new dot. The values of a row never change, so several
 * sets, payloads and diffs can share one row.
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

/**
 * Lets a row use a ref and a topic that are equal to its own, so that it keeps no copies of their texts. Otherwise each row
 * that arrives in a message of its own would keep both, which takes as much memory as the row.
 */
export function shareRef(row: Row<unknown>, ref: string): void {
  ;(row as { ref: string }).ref = ref
}

/** See `shareRef`. */
export function shareTopic(row: Row<unknown>, topic: string): void {
  ;(row as { topic: string }).topic = topic
}
