/** What a presence says of itself: any JSON object. The set carries it and never looks inside. */
export type Meta = Readonly<Record<string, unknown>>

/**
 * One presence, held by one process under one key of one topic, with the dot under which it was added.
 *
 * The dot `(ref, clock)` is used once and for all: an update is a new row under a new dot. Rows are never changed, so
 * the same row may stand in several sets, payloads and diffs.
 */
export interface Row {
  readonly topic: string
  /** The process that holds it; unique within its replica, not across replicas. */
  readonly pid: string
  readonly key: string
  readonly meta: Meta
  /** The replica where it was added. */
  readonly ref: string
  /** The tick of that replica's clock that added it. */
  readonly clock: number
}
