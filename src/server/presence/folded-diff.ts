import type { Row, TopicDiff } from "../../tracker/tracker.ts"

/** What changed in one topic since its clients were last told. */
export interface PendingDiffs {
  add(change: TopicDiff): void
  /** The diffs to send, none of them empty; afterwards there are none. */
  take(): TopicDiff[]
}

/** Every change is a diff of its own, as Phoenix sends them. */
export function separateDiffs(): PendingDiffs {
  const changes: TopicDiff[] = []
  return { add: (change) => void changes.push(change), take: () => changes.splice(0) }
}

/**
 * Many changes folded into one diff.
 *
 * A meta that came and went drops out. What survives names in `phx_ref_prev` the meta that it replaces in the view of
 * a client, which is not always the one that it replaced here: of the updates a→b→c a client sees c in the place of a.
 */
export function foldingDiffs(): PendingDiffs {
  return new FoldingDiffs()
}

class FoldingDiffs implements PendingDiffs {
  readonly #joins = new Map<string, Row>()
  readonly #leaves = new Map<string, Row>()
  /** A reference that came and went → the one that a client still sees in its place, if any. */
  readonly #origins = new Map<string, string | undefined>()

  add({ joins, leaves }: TopicDiff): void {
    for (const row of leaves) {
      const ref = row.meta.phx_ref
      const came = this.#joins.get(ref)
      if (came === undefined) {
        this.#leaves.set(ref, row)
      } else {
        this.#joins.delete(ref)
        this.#origins.set(ref, came.meta.phx_ref_prev)
      }
    }
    for (const row of joins) {
      const ref = row.meta.phx_ref
      // A node that was out of sight for a moment brings back what was said to have left: for a client, nothing happened.
      if (!this.#leaves.delete(ref)) this.#joins.set(ref, this.#rebased(row))
    }
  }

  take(): TopicDiff[] {
    const diff = { joins: [...this.#joins.values()], leaves: [...this.#leaves.values()] }
    this.#joins.clear()
    this.#leaves.clear()
    this.#origins.clear()
    return diff.joins.length + diff.leaves.length > 0 ? [diff] : []
  }

  #rebased(row: Row): Row {
    const prev = row.meta.phx_ref_prev
    if (prev === undefined || !this.#origins.has(prev)) return row
    const origin = this.#origins.get(prev)
    const { phx_ref_prev: _, ...meta } = row.meta
    const rebased = origin === undefined ? meta : { ...meta, phx_ref_prev: origin }
    return { ...row, meta: Object.freeze(rebased) as Row["meta"] }
  }
}
