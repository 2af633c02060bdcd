import type { Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"

/**
 * Several diffs folded into one.
 *
 * A meta that came and went drops out, and so does one that went and came back. A join that survives names in
 * `phx_ref_prev` the meta that it replaces in the view of the receiver, which is not always the last one that its owner
 * had: of the updates a→b→c the receiver sees c in the place of a.
 */
export class FoldedDiff {
  readonly #joins = new Map<string, Row>()
  readonly #leaves = new Map<string, Row>()
  /** A reference that came and went → the one that the receiver still sees in its place, if any. */
  readonly #origins = new Map<string, string | undefined>()

  add({ joins, leaves }: TopicDiff): void {
    for (const row of leaves) {
      const ref = row.meta.phx_ref
      const joined = this.#joins.get(ref)
      if (joined === undefined) {
        this.#leaves.set(ref, row)
      } else {
        this.#joins.delete(ref)
        this.#origins.set(ref, joined.meta.phx_ref_prev)
      }
    }
    for (const row of joins) {
      const ref = row.meta.phx_ref
      // A node that was out of sight for a moment brings back rows that were reported as left: nothing has happened.
      if (!this.#leaves.delete(ref)) this.#joins.set(ref, this.#rebased(row))
    }
  }

  /** Returns the diff, perhaps an empty one, and starts anew. */
  take(): TopicDiff {
    const diff = { joins: [...this.#joins.values()], leaves: [...this.#leaves.values()] }
    this.#joins.clear()
    this.#leaves.clear()
    this.#origins.clear()
    return diff
  }

  #rebased(row: Row): Row {
    const previous = row.meta.phx_ref_prev
    return previous !== undefined && this.#origins.has(previous) ? replacing(row, this.#origins.get(previous)) : row
  }
}

/** The row with `phx_ref_prev` as the receiver needs it, which mostly is the row itself. */
export function replacing(row: Row, replaced: string | undefined): Row {
  if (row.meta.phx_ref_prev === replaced) return row
  const { phx_ref_prev: _, ...fields } = row.meta
  const meta = replaced === undefined ? fields : { ...fields, phx_ref_prev: replaced }
  return { topic: row.topic, pid: row.pid, key: row.key, meta: Object.freeze(meta) as TrackedMeta }
}
