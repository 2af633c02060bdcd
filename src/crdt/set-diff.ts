import type { Row } from "./row.ts"

/** A row that came into view, and the one whose place it took there. */
export type Join = Row & {
  /** The row that was shown for the same topic, pid and key until now; it is among the leaves of the same diff. */
  readonly replaces?: Row
}

/**
 * What an operation changed in what a node shows.
 *
 * Taking the leaves out of the former view and putting the joins in gives the new view, exactly: a row that came and
 * went within one operation is in neither. An update is a leave and a join whose `replaces` is that leave; when
 * several updates have collapsed into one (D13), `replaces` is the row that this node's listeners hold, not the last
 * one that the owner had.
 */
export interface Diff {
  readonly joins: readonly Join[]
  readonly leaves: readonly Row[]
}

/** The diff of an operation that changed nothing to be seen: always this object. */
export const NO_CHANGE: Diff = Object.freeze({ joins: Object.freeze([]), leaves: Object.freeze([]) })

/** Gathers what one operation does to the view, place by place, and nets it. */
export class Changes {
  /**
   * Rows that came to empty places, while nothing else happened: one join, or all of a node that is seen for the first time.
   * To net them would cost as much as the rest of the operation.
   */
  #arrived: Row[] | undefined
  /** A lone swap of another kind is kept as it is, too. */
  #alone: readonly [before: Row, after: Row | undefined] | undefined
  #net: Net | undefined

  /** Notes that one place, which showed `before`, now shows `after`; `undefined` is an empty place. */
  swap(before: Row | undefined, after: Row | undefined): void {
    if (before === after) return
    if (this.#net !== undefined) this.#net.swap(before, after)
    else if (before === undefined && this.#alone === undefined) (this.#arrived ??= []).push(after!)
    else if (before !== undefined && this.#alone === undefined && this.#arrived === undefined)
      this.#alone = [before, after]
    else this.#startNet().swap(before, after)
  }

  /** All of it, netted. */
  diff(): Diff {
    if (this.#net !== undefined) return this.#net.diff()
    if (this.#arrived !== undefined) return { joins: this.#arrived, leaves: [] }
    if (this.#alone === undefined) return NO_CHANGE
    const [before, after] = this.#alone
    return { joins: after === undefined ? [] : [joinOf(after, before)], leaves: [before] }
  }

  #startNet(): Net {
    const net = new Net()
    for (const row of this.#arrived ?? []) net.swap(undefined, row)
    if (this.#alone !== undefined) net.swap(...this.#alone)
    this.#net = net
    return net
  }
}

/** Several swaps, among them perhaps some of one place. */
class Net {
  /** Row that came into view → the row that the listeners hold in its place. */
  readonly #joins = new Map<Row, Row | undefined>()
  readonly #leaves = new Set<Row>()

  swap(before: Row | undefined, after: Row | undefined): void {
    let held = before
    if (before !== undefined && this.#joins.has(before)) {
      held = this.#joins.get(before)
      this.#joins.delete(before)
    } else if (before !== undefined) {
      this.#leaves.add(before)
    }
    if (after !== undefined && !this.#leaves.delete(after)) this.#joins.set(after, held)
  }

  diff(): Diff {
    if (this.#joins.size === 0 && this.#leaves.size === 0) return NO_CHANGE
    const joins: Join[] = []
    for (const [row, replaces] of this.#joins) joins.push(joinOf(row, replaces))
    return { joins, leaves: [...this.#leaves] }
  }
}

function joinOf(row: Row, replaces: Row | undefined): Join {
  if (replaces === undefined) return row
  const { topic, pid, key, meta, ref, clock } = row
  // Named one by one: a spread takes as long as all the rest of an update.
  return { topic, pid, key, meta, ref, clock, replaces }
}
