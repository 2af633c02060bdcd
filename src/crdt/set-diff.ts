import type { Meta, Row } from "./row.ts"
import { opened } from "./sealed-row.ts"

/** A row that became visible, and the row that it replaces. */
export type Join<M = Meta> = Row<M> & {
  /** The row that was visible for the same topic, pid and key until now. It is among the leaves of the same diff. */
  readonly replaces?: Row<M>
}

/**
 * The change that one operation made to the visible rows of a set.
 *
 * The previous view without `leaves` and with `joins` is exactly the new view. A row that joined and left within one
 * operation is in neither list. An update is a leave, and a join whose `replaces` is that leave. If several updates
 * arrive as one (D13), `replaces` is the row that was visible on this node, not the last one that the owner replaced.
 *
 * Rows may be sealed (see `sealedRow`), except a join that replaces a row, and the row that it replaces.
 */
export interface SetDiff<M = Meta> {
  readonly joins: readonly Join<M>[]
  readonly leaves: readonly Row<M>[]
}

/** The diff of every operation that changed no visible row. It is always the same object, so compare with `===`. */
export const NO_CHANGE: SetDiff<never> = Object.freeze({ joins: Object.freeze([]), leaves: Object.freeze([]) })

/**
 * Collects the changes of one operation by place, and computes the net diff. A place is a combination (topic, pid,
 * key).
 */
export class Changes<M = Meta> {
  /**
   * The rows that appeared in empty places, as long as there are no other changes. Examples are a single join, and all
   * rows of a node that is new here. Netting them would cost as much as the rest of the operation.
   */
  #arrived: Row<M>[] | undefined
  /** The only change so far, if it is a leave or an update. It needs no netting either. */
  #single: readonly [before: Row<M>, after: Row<M> | undefined] | undefined
  #net: NetChanges<M> | undefined

  /**
   * Records that a place showed `before` and now shows `after`; `undefined` means that the place is empty. A row that
   * appears in an empty place replaces no row, even if another row has left that place in the same operation.
   */
  swap(before: Row<M> | undefined, after: Row<M> | undefined): void {
    if (before === after) return
    if (this.#net !== undefined) this.#net.swap(before, after)
    else if (before === undefined && this.#single === undefined) (this.#arrived ??= []).push(after!)
    else if (before !== undefined && this.#single === undefined && this.#arrived === undefined)
      this.#single = [before, after]
    else this.#startNetting().swap(before, after)
  }

  /** Returns the net diff of all recorded changes. */
  diff(): SetDiff<M> {
    if (this.#net !== undefined) return this.#net.diff()
    if (this.#arrived !== undefined) return { joins: this.#arrived, leaves: [] }
    if (this.#single === undefined) return NO_CHANGE
    const [before, after] = this.#single
    return { joins: after === undefined ? [] : [joinOf(after, before)], leaves: [before] }
  }

  #startNetting(): NetChanges<M> {
    const net = new NetChanges<M>()
    for (const row of this.#arrived ?? []) net.swap(undefined, row)
    if (this.#single !== undefined) net.swap(...this.#single)
    this.#net = net
    return net
  }
}

/** Several changes, some of which may concern the same place. */
class NetChanges<M> {
  /** A row that became visible → the row that was visible in its place before the operation. */
  readonly #joins = new Map<Row<M>, Row<M> | undefined>()
  readonly #leaves = new Set<Row<M>>()

  swap(before: Row<M> | undefined, after: Row<M> | undefined): void {
    let first = before
    if (before !== undefined && this.#joins.has(before)) {
      first = this.#joins.get(before)
      this.#joins.delete(before)
    } else if (before !== undefined) {
      this.#leaves.add(before)
    }
    if (after !== undefined && !this.#leaves.delete(after)) this.#joins.set(after, first)
  }

  diff(): SetDiff<M> {
    if (this.#joins.size === 0 && this.#leaves.size === 0) return NO_CHANGE
    const joins: Join<M>[] = []
    for (const [row, replaces] of this.#joins) joins.push(joinOf(row, replaces))
    return { joins, leaves: [...this.#leaves] }
  }
}

function joinOf<M>(row: Row<M>, replaces: Row<M> | undefined): Join<M> {
  if (replaces === undefined) return row
  opened(replaces)
  const { topic, pid, key, meta, ref, clock } = opened(row)
  // The fields are listed one by one: a spread would take as long as the rest of an update.
  return { topic, pid, key, meta, ref, clock, replaces }
}
