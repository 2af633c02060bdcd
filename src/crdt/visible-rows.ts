import type { Changes } from "./set-diff.ts"
import type { Meta, Row } from "./row.ts"
import { RowsByTopic } from "./rows-by-topic.ts"

/**
 * The rows that a node shows: at most one for each place (topic, pid, key), and none of hidden replicas.
 *
 * It holds every row of the set. If several rows have the same place, the row with the greatest clock is shown; of equal
 * clocks, the one with the greatest ref. The other rows are outranked: they are kept, but not shown (D2). So the view
 * depends only on the rows and on the hidden replicas, never on the order of merges.
 *
 * There are three cases in which several rows have the same place:
 * - A row arrives after the row that replaced it. Phoenix lets the late row overwrite the newer one.
 * - A row was replaced, and the message with its removal was lost. Phoenix overwrites it without a leave, and clients keep
 *   the user's previous meta for ever. Here the diff is the change of the visible rows, so there is a leave (D3).
 * - Two replicas use the same pid. Phoenix shows the row that was merged last, so nodes disagree for ever.
 */
export class VisibleRows<M = Meta> {
  /** The winning row of each place. */
  readonly #winners = new RowsByTopic<M>()
  /** Winning row → the rows that it outranks. Empty unless one of the three cases above has occurred. */
  readonly #outranked = new Map<Row<M>, readonly Row<M>[]>()
  /** The refs of the replicas whose rows are not shown. */
  readonly #hidden = new Set<string>()

  /** Adds a row if its place is empty. Returns whether the row was added. */
  addIfFree(row: Row<M>): boolean {
    return this.#winners.add(row) === undefined
  }

  /**
   * Adds a row and removes the rows of its place that are in `leaving`, in one step, so that the new row gets their
   * position in lists.
   */
  add(row: Row<M>, changes: Changes<M>, leaving?: ReadonlySet<Row<M>>): void {
    const winner = this.#winners.add(row)
    if (winner === undefined) {
      changes.swap(undefined, this.#shown(row))
      return
    }
    const staying = this.#candidates(winner).filter((candidate) => leaving?.has(candidate) !== true)
    const before = this.#shown(winner)
    changes.swap(before, this.#shown(this.#chooseWinner(winner, [...staying, row])))
  }

  /** Removes a row, if it exists. */
  remove(row: Row<M>, changes: Changes<M>): void {
    const winner = this.#winners.findLike(row)
    const candidates = this.#candidates(winner)
    if (winner === undefined || !candidates.includes(row)) return
    const before = this.#shown(winner)
    const staying = candidates.filter((candidate) => candidate !== row)
    changes.swap(before, this.#shown(this.#chooseWinner(winner, staying)))
  }

  /** Shows or hides a replica whose rows are `rows`. The rows keep their positions. */
  setVisible(ref: string, isVisible: boolean, rows: readonly Row<M>[], changes: Changes<M>): void {
    if (this.isVisible(ref) === isVisible) return
    const contested = [...this.#outranked.keys()].map((winner) => ({
      winner,
      before: this.#shown(winner),
      candidates: this.#candidates(winner),
    }))
    if (isVisible) this.#hidden.delete(ref)
    else this.#hidden.add(ref)
    const settled = new Set<Row<M>>()
    for (const { winner, before, candidates } of contested) {
      for (const row of candidates) settled.add(row)
      changes.swap(before, this.#shown(this.#chooseWinner(winner, candidates)))
    }
    for (const row of rows) {
      if (!settled.has(row)) changes.swap(isVisible ? undefined : row, isVisible ? row : undefined)
    }
  }

  isVisible(ref: string): boolean {
    return !this.#hidden.has(ref)
  }

  /** Returns the row that replica `ref` has in this place, whether it is shown or not. */
  find(ref: string, pid: string, topic: string, key: string): Row<M> | undefined {
    const winner = this.#winners.find(topic, key, pid)
    return winner?.ref === ref ? winner : this.#candidates(winner).find((row) => row.ref === ref)
  }

  list(topic: string): Row<M>[] {
    return this.#withoutHidden(this.#winners.list(topic))
  }

  byKey(topic: string, key: string): Row<M>[] {
    return this.#withoutHidden(this.#winners.byKey(topic, key))
  }

  countByKey(topic: string, key: string): number {
    return this.#hidden.size === 0 ? this.#winners.countByKey(topic, key) : this.byKey(topic, key).length
  }

  /** The number of outranked rows of replicas that are not hidden. */
  get outrankedCount(): number {
    let count = 0
    for (const outranked of this.#outranked.values()) count += this.#withoutHidden([...outranked]).length
    return count
  }

  all(): Row<M>[] {
    return [...this.#winners.topics()].flatMap((topic) => this.list(topic))
  }

  /** Returns all rows that have the same place as `winner`, including `winner`. */
  #candidates(winner: Row<M> | undefined): readonly Row<M>[] {
    if (winner === undefined) return []
    const outranked = this.#outranked.get(winner)
    return outranked === undefined ? [winner] : [winner, ...outranked]
  }

  /**
   * Makes the greatest of `candidates` the winner instead of `previous`, and returns it. Without candidates, the place
   * becomes empty.
   */
  #chooseWinner(previous: Row<M>, candidates: readonly Row<M>[]): Row<M> | undefined {
    this.#outranked.delete(previous)
    let winner = candidates[0]
    if (winner === undefined) {
      this.#winners.delete(previous)
      return undefined
    }
    for (const row of candidates) if (this.#outranks(row, winner)) winner = row
    if (winner !== previous) this.#winners.replace(winner)
    if (candidates.length > 1) {
      this.#outranked.set(
        winner,
        candidates.filter((row) => row !== winner),
      )
    }
    return winner
  }

  #outranks(row: Row<M>, other: Row<M>): boolean {
    if (this.isVisible(row.ref) !== this.isVisible(other.ref)) return this.isVisible(row.ref)
    return row.clock === other.clock ? row.ref > other.ref : row.clock > other.clock
  }

  #shown(winner: Row<M> | undefined): Row<M> | undefined {
    return winner !== undefined && this.isVisible(winner.ref) ? winner : undefined
  }

  #withoutHidden(rows: Row<M>[]): Row<M>[] {
    return this.#hidden.size === 0 ? rows : rows.filter((row) => this.isVisible(row.ref))
  }
}
