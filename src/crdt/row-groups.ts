import type { Meta, Row } from "./row.ts"
import { isSealed, opened } from "./sealed-row.ts"

/**
 * Rows grouped by a name. Within a group, each row has a different id.
 *
 * A group of one row is stored as the row itself, a larger group as a Map. Most users have one device and most processes
 * hold one presence, so a Map for each would double the heap. Groups are in the order in which they were created, and
 * rows in the order in which they were added to their group. A row that replaces another one gets its position.
 */
export class RowGroups<M = Meta> {
  readonly #groups = new Map<string, Row<M> | Map<string, Row<M>>>()
  readonly #nameOf: (row: Row<M>) => string
  readonly #idOf: (row: Row<M>) => string
  #size = 0
  /** Whether a row may be sealed. If none is, a list of many rows need not look at each of them. */
  #hasSealed = false

  constructor(nameOf: (row: Row<M>) => string, idOf: (row: Row<M>) => string) {
    this.#nameOf = nameOf
    this.#idOf = idOf
  }

  /** The number of rows in all groups. */
  get size(): number {
    return this.#size
  }

  /** The first row of the first group; `undefined` if there is none. */
  get first(): Row<M> | undefined {
    for (const group of this.#groups.values()) return group instanceof Map ? [...group.values()][0] : group
    return undefined
  }

  find(name: string, id: string): Row<M> | undefined {
    const group = this.#groups.get(name)
    if (group === undefined || group instanceof Map) return group?.get(id)
    return this.#idOf(group) === id ? group : undefined
  }

  /** Returns the row that has the same name and id. */
  findLike(row: Row<M>): Row<M> | undefined {
    const name = this.#nameOf(row)
    return this.#groups.get(name) === row ? row : this.find(name, this.#idOf(row))
  }

  /**
   * Adds a row to its group. If the group already has a row with the same id, nothing changes and that row is returned.
   */
  add(row: Row<M>): Row<M> | undefined {
    if (isSealed(row)) this.#hasSealed = true
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group === undefined) {
      this.#groups.set(name, row)
      this.#size += 1
      return undefined
    }
    const id = this.#idOf(row)
    if (group instanceof Map) {
      const existing = group.get(id)
      if (existing !== undefined) return existing
      group.set(id, row)
      this.#size += 1
      return undefined
    }
    const existingId = this.#idOf(group)
    if (existingId === id) return group
    this.#groups.set(
      name,
      new Map([
        [existingId, group],
        [id, row],
      ]),
    )
    this.#size += 1
    return undefined
  }

  /** Replaces the row that has the same name and id. */
  replace(row: Row<M>): void {
    if (isSealed(row)) this.#hasSealed = true
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group instanceof Map) group.set(this.#idOf(row), row)
    else if (group !== undefined) this.#groups.set(name, row)
  }

  /** Removes the row that has the same name and id. */
  delete(row: Row<M>): void {
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group === undefined) return
    if (!(group instanceof Map)) {
      const isSame = group === row || this.#idOf(group) === this.#idOf(row)
      if (isSame && this.#groups.delete(name)) this.#size -= 1
      return
    }
    if (group.delete(this.#idOf(row))) this.#size -= 1
    if (group.size > 1) return
    for (const last of group.values()) this.#groups.set(name, last)
  }

  /** Returns the rows of one group. */
  rows(name: string): Row<M>[] {
    const group = this.#groups.get(name)
    if (group === undefined) return []
    return group instanceof Map ? [...group.values()] : [group]
  }

  /** Returns the number of rows in a group. */
  count(name: string): number {
    const group = this.#groups.get(name)
    return group instanceof Map ? group.size : group === undefined ? 0 : 1
  }

  /** Returns the rows of all groups, group by group. */
  all(): Row<M>[] {
    const rows: Row<M>[] = []
    for (const group of this.#groups.values()) {
      if (group instanceof Map) for (const row of group.values()) rows.push(row)
      else rows.push(group)
    }
    return rows
  }

  /** Returns the rows of all groups, group by group, all of them opened. */
  allOpened(): Row<M>[] {
    const rows = this.all()
    if (this.#hasSealed) for (const row of rows) opened(row)
    this.#hasSealed = false
    return rows
  }
}
