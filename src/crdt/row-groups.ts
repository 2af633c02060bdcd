import type { Row } from "./row.ts"

/**
 * Rows under a name, each told apart from the others of that name by an id.
 *
 * A name with one row holds the row itself, and only more of them a Map: most users have one device and most processes
 * one presence, and a Map for each of them would double the heap. Names keep the order of their arrival and rows that
 * of theirs within a name; a row put in the place of another keeps that place.
 */
export class RowGroups {
  readonly #groups = new Map<string, Row | Map<string, Row>>()
  readonly #nameOf: (row: Row) => string
  readonly #idOf: (row: Row) => string

  constructor(nameOf: (row: Row) => string, idOf: (row: Row) => string) {
    this.#nameOf = nameOf
    this.#idOf = idOf
  }

  get empty(): boolean {
    return this.#groups.size === 0
  }

  find(name: string, id: string): Row | undefined {
    const group = this.#groups.get(name)
    if (group === undefined || group instanceof Map) return group?.get(id)
    return this.#idOf(group) === id ? group : undefined
  }

  /** Puts a row under its name, unless one with the same id is there: that one is returned and stays. */
  add(row: Row): Row | undefined {
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group === undefined) {
      this.#groups.set(name, row)
      return undefined
    }
    const id = this.#idOf(row)
    if (group instanceof Map) {
      const held = group.get(id)
      if (held === undefined) group.set(id, row)
      return held
    }
    const heldId = this.#idOf(group)
    if (heldId === id) return group
    this.#groups.set(
      name,
      new Map([
        [heldId, group],
        [id, row],
      ]),
    )
    return undefined
  }

  /** Puts a row in the place of the one with its name and id. */
  replace(row: Row): void {
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group instanceof Map) group.set(this.#idOf(row), row)
    else if (group !== undefined) this.#groups.set(name, row)
  }

  /** Takes out the row with this one's name and id. */
  delete(row: Row): void {
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group === undefined) return
    if (!(group instanceof Map)) {
      if (this.#idOf(group) === this.#idOf(row)) this.#groups.delete(name)
      return
    }
    group.delete(this.#idOf(row))
    if (group.size > 1) return
    for (const last of group.values()) this.#groups.set(name, last)
  }

  /** The rows of one name. */
  rows(name: string): Row[] {
    const group = this.#groups.get(name)
    if (group === undefined) return []
    return group instanceof Map ? [...group.values()] : [group]
  }

  /** Returns how many rows a name has. */
  count(name: string): number {
    const group = this.#groups.get(name)
    return group instanceof Map ? group.size : group === undefined ? 0 : 1
  }

  /** The rows of all names, those of one name together. */
  all(): Row[] {
    const rows: Row[] = []
    for (const group of this.#groups.values()) {
      if (group instanceof Map) for (const row of group.values()) rows.push(row)
      else rows.push(group)
    }
    return rows
  }
}
