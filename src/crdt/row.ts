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
 * Lets a row use a ref that is equal to its own, and returns the row. Otherwise each row that arrives in a message of its own
 * would keep the message's copy of the text. Copies of ref and topic take as much memory as the rest of the row.
 */
export function shareRef<M>(row: Row<M>, ref: string): Row<M> {
  ;(row as { ref: string }).ref = ref
  return row
}

/** Lets a row use a topic that is equal to its own, as `shareRef`. */
export function shareTopic(row: Row<unknown>, topic: string): void {
  ;(row as { topic: string }).topic = topic
}
