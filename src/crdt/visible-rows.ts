import type { Changes } from "./set-diff.ts"
import { RowGroups } from "./row-groups.ts"
import type { Row } from "./row.ts"

/**
 * What a node shows: for each (topic, pid, key) at most one row, and none of replicas out of sight.
 *
 * Holds every row of the set. Where several stand in one place, the greatest by clock, then by ref, is shown, and the
 * others wait behind it (D2). Three cases bring them there:
 * - A row of a delta that was overtaken by the delta that replaces it. Phoenix lets the late one overwrite the newer.
 * - The row of an update whose removal was lost. Phoenix overwrites it and reports no leave, and clients keep a user's
 *   former meta for ever; here the change of what is shown is the diff, so there is a leave (D3).
 * - Two replicas that use the same pid. Phoenix lets the last one merged win, so that nodes disagree for ever.
 *
 * It follows that the view is a function of the rows and of who is in sight, never of the order of merges.
 */
export class VisibleRows {
  /** Topic → its places, by key and pid, each with the row in front. */
  readonly #topics = new Map<string, RowGroups>()
  /** Row in front → those that wait behind it. Empty unless one of the three cases above is at hand. */
  readonly #behind = new Map<Row, readonly Row[]>()
  readonly #outOfSight = new Set<string>()

  /** Adds a row if its place is empty, and tells whether it was. */
  addFirst(row: Row): boolean {
    return this.#add(row) === undefined
  }

  /** Adds a row; rows `leaving` its place go with the same stroke, so that it takes over their place in the order. */
  add(row: Row, changes: Changes, leaving?: ReadonlySet<Row>): void {
    const front = this.#add(row)
    if (front === undefined) {
      changes.swap(undefined, this.#shown(row))
      return
    }
    const staying = this.#contenders(front).filter((contender) => leaving?.has(contender) !== true)
    const before = this.#shown(front)
    changes.swap(before, this.#shown(this.#settle(front, [...staying, row])))
  }

  /** Removes a row; one that has left already is no matter. */
  remove(row: Row, changes: Changes): void {
    const front = this.#front(row.topic, row.pid, row.key)
    const contenders = this.#contenders(front)
    if (front === undefined || !contenders.includes(row)) return
    const before = this.#shown(front)
    const staying = contenders.filter((contender) => contender !== row)
    changes.swap(before, this.#shown(this.#settle(front, staying)))
  }

  /** Puts a replica, whose rows are `rows`, in sight or out of it. The rows keep their places. */
  see(ref: string, inSight: boolean, rows: readonly Row[], changes: Changes): void {
    if (this.sees(ref) === inSight) return
    const contested = [...this.#behind.keys()].map((front) => ({
      front,
      before: this.#shown(front),
      contenders: this.#contenders(front),
    }))
    if (inSight) this.#outOfSight.delete(ref)
    else this.#outOfSight.add(ref)
    const settled = new Set<Row>()
    for (const { front, before, contenders } of contested) {
      for (const row of contenders) settled.add(row)
      changes.swap(before, this.#shown(this.#settle(front, contenders)))
    }
    for (const row of rows) {
      if (!settled.has(row)) changes.swap(inSight ? undefined : row, inSight ? row : undefined)
    }
  }

  sees(ref: string): boolean {
    return !this.#outOfSight.has(ref)
  }

  /** The row in this place that `ref` has put there, shown or not. */
  find(ref: string, pid: string, topic: string, key: string): Row | undefined {
    const front = this.#front(topic, pid, key)
    return front?.ref === ref ? front : this.#contenders(front).find((row) => row.ref === ref)
  }

  list(topic: string): Row[] {
    return this.#inSight(this.#topics.get(topic)?.all() ?? [])
  }

  byKey(topic: string, key: string): Row[] {
    return this.#inSight(this.#topics.get(topic)?.rows(key) ?? [])
  }

  countByKey(topic: string, key: string): number {
    return this.#outOfSight.size === 0 ? (this.#topics.get(topic)?.count(key) ?? 0) : this.byKey(topic, key).length
  }

  /** How many rows in sight wait behind another. */
  get outranked(): number {
    let count = 0
    for (const behind of this.#behind.values()) count += this.#inSight([...behind]).length
    return count
  }

  all(): Row[] {
    return [...this.#topics.keys()].flatMap((topic) => this.list(topic))
  }

  #front(topic: string, pid: string, key: string): Row | undefined {
    return this.#topics.get(topic)?.find(key, pid)
  }

  #contenders(front: Row | undefined): readonly Row[] {
    if (front === undefined) return []
    const behind = this.#behind.get(front)
    return behind === undefined ? [front] : [front, ...behind]
  }

  /** Makes the greatest of `contenders` the front of the place that `front` held, or clears the place. */
  #settle(front: Row, contenders: readonly Row[]): Row | undefined {
    this.#behind.delete(front)
    let first = contenders[0]
    if (first === undefined) {
      this.#delete(front)
      return undefined
    }
    for (const row of contenders) if (this.#precedes(row, first)) first = row
    if (first !== front) this.#topics.get(first.topic)?.replace(first)
    if (contenders.length > 1) {
      this.#behind.set(
        first,
        contenders.filter((row) => row !== first),
      )
    }
    return first
  }

  #precedes(row: Row, other: Row): boolean {
    if (this.sees(row.ref) !== this.sees(other.ref)) return this.sees(row.ref)
    return row.clock === other.clock ? row.ref > other.ref : row.clock > other.clock
  }

  /** Puts a row into an empty place. The row in front of one that is taken is returned, and stays. */
  #add(row: Row): Row | undefined {
    let topic = this.#topics.get(row.topic)
    if (topic === undefined) this.#topics.set(row.topic, (topic = new RowGroups(keyOf, pidOf)))
    return topic.add(row)
  }

  #delete(row: Row): void {
    const topic = this.#topics.get(row.topic)
    topic?.delete(row)
    if (topic?.empty === true) this.#topics.delete(row.topic)
  }

  #shown(front: Row | undefined): Row | undefined {
    return front !== undefined && this.sees(front.ref) ? front : undefined
  }

  #inSight(rows: Row[]): Row[] {
    return this.#outOfSight.size === 0 ? rows : rows.filter((row) => this.sees(row.ref))
  }
}

const pidOf = (row: Row): string => row.pid
const keyOf = (row: Row): string => row.key
