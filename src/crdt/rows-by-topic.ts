import { RowGroups } from "./row-groups.ts"
import { shareTopic, type Meta, type Row } from "./row.ts"
import { contentOf, opened } from "./sealed-row.ts"

/** The rows of one topic: a single row, a few in an array, or many with an index. */
type TopicRows<M> = Row<M> | readonly Row<M>[] | RowGroups<M>

/** The maximum number of rows in an array. To look at so many keys takes less than a look-up in a Map of so many. */
const MAX_ARRAY = 24
/** An index with so few rows left becomes an array again. It is less than the maximum, so that not every change converts. */
const MIN_INDEXED = 12

/**
 * Rows grouped by topic, and within a topic by key: at most one for each combination of topic, key and pid.
 *
 * Rows that are added may be sealed; those that `byKey` and `list` return are opened.
 *
 * Most topics are small: rooms of a few people, or the topic of one user. An index for each of them would take as much
 * memory as its rows do. Topics, keys and rows are in the order in which they were added. A row that replaces another one
 * gets its position.
 */
export class RowsByTopic<M = Meta> {
  readonly #topics = new Map<string, TopicRows<M>>()

  /** Returns the names of all topics that have rows. */
  topics(): Iterable<string> {
    return this.#topics.keys()
  }

  find(topic: string, key: string, pid: string): Row<M> | undefined {
    const rows = this.#topics.get(topic)
    if (rows instanceof RowGroups) return rows.find(key, pid)
    return asArray(rows).find((row) => row.key === key && pidOf(row) === pid)
  }

  /** Returns the row that has the same topic, key and pid. */
  findLike(row: Row<M>): Row<M> | undefined {
    const rows = this.#topics.get(row.topic)
    if (rows instanceof RowGroups) return rows.findLike(row)
    return asArray(rows).find((other) => isSamePlace(other, row))
  }

  /** Adds a row. If there is already one with the same topic, key and pid, nothing changes and that row is returned. */
  add(row: Row<M>): Row<M> | undefined {
    const rows = this.#topics.get(row.topic)
    if (rows === undefined) {
      this.#topics.set(row.topic, row)
      return undefined
    }
    if (rows instanceof RowGroups) {
      shareTopic(row, rows.first?.topic ?? row.topic)
      return rows.add(row)
    }
    const array = asArray(rows)
    shareTopic(row, array[0]!.topic)
    let lastOfKey = -1
    for (const [at, other] of array.entries()) {
      if (other.key !== row.key) continue
      if (isSamePlace(other, row)) return other
      lastOfKey = at
    }
    const end = lastOfKey + 1
    const isLast = lastOfKey === -1 || end === array.length
    this.#set(row.topic, isLast ? array.concat([row]) : array.slice(0, end).concat([row], array.slice(end)))
    return undefined
  }

  /** Replaces the row that has the same topic, key and pid. */
  replace(row: Row<M>): void {
    const rows = this.#topics.get(row.topic)
    if (rows === undefined) return
    if (rows instanceof RowGroups) return rows.replace(row)
    this.#set(
      row.topic,
      asArray(rows).map((other) => (isSamePlace(other, row) ? row : other)),
    )
  }

  /** Removes the row that has the same topic, key and pid. */
  delete(row: Row<M>): void {
    const rows = this.#topics.get(row.topic)
    if (rows === undefined) return
    if (rows instanceof RowGroups) {
      rows.delete(row)
      if (rows.size <= MIN_INDEXED) this.#set(row.topic, rows.all())
      return
    }
    this.#set(
      row.topic,
      asArray(rows).filter((other) => !isSamePlace(other, row)),
    )
  }

  /** Returns the rows under one key of a topic. */
  byKey(topic: string, key: string): Row<M>[] {
    const rows = this.#topics.get(topic)
    return (rows instanceof RowGroups ? rows.rows(key) : ofKey(rows, key)).map(opened)
  }

  /** Returns the number of rows under one key of a topic. */
  countByKey(topic: string, key: string): number {
    const rows = this.#topics.get(topic)
    return rows instanceof RowGroups ? rows.count(key) : ofKey(rows, key).length
  }

  /** Returns the rows of a topic, key by key. */
  list(topic: string): Row<M>[] {
    const rows = this.#topics.get(topic)
    return rows instanceof RowGroups ? rows.allOpened() : asArray(rows).map(opened)
  }

  #set(topic: string, rows: readonly Row<M>[]): void {
    const [first] = rows
    if (first === undefined) this.#topics.delete(topic)
    else if (rows.length <= MAX_ARRAY) this.#topics.set(topic, rows.length === 1 ? first : rows)
    else {
      const groups = new RowGroups<M>(keyOf, pidOf)
      for (const row of rows) groups.add(row)
      this.#topics.set(topic, groups)
    }
  }
}

function asArray<M>(rows: Row<M> | readonly Row<M>[] | undefined): readonly Row<M>[] {
  return rows === undefined ? [] : Array.isArray(rows) ? (rows as readonly Row<M>[]) : [rows as Row<M>]
}

function ofKey<M>(rows: Row<M> | readonly Row<M>[] | undefined, key: string): Row<M>[] {
  return asArray(rows).filter((row) => row.key === key)
}

/** Returns whether two rows of a topic have the same key and pid. Few rows share a key, so that few sealed ones are read. */
function isSamePlace(one: Row<unknown>, other: Row<unknown>): boolean {
  return one === other || (one.key === other.key && pidOf(one) === pidOf(other))
}

const pidOf = (row: Row<unknown>): string => contentOf(row).pid
const keyOf = (row: Row<unknown>): string => row.key
