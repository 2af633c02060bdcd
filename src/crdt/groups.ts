import type { Row } from "./row.ts"

/**
 * Rows under a name, each told apart from the others of that name by an id.
 *
 * A name with one row holds the row itself, and only more of them a Map: most users have one device and most processes
 * one presence, and a Map for each of them would double the heap. Names keep the order of their arrival and rows that
 * of theirs within a name; a row put in the place of another keeps that place.
 */
export class Groups {
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

  /** Puts a row under a name that has none, and tells whether it could: what most rows need, at the price of one look. */
  putFirst(row: Row): boolean {
    const name = this.#nameOf(row)
    if (this.#groups.has(name)) return false
    this.#groups.set(name, row)
    return true
  }

  /** Puts a row under its name, in the place of the row with the same id if there is one. */
  put(row: Row): void {
    const name = this.#nameOf(row)
    const group = this.#groups.get(name)
    if (group === undefined) {
      this.#groups.set(name, row)
    } else if (group instanceof Map) {
      group.set(this.#idOf(row), row)
    } else {
      const [held, id] = [this.#idOf(group), this.#idOf(row)]
      this.#groups.set(
        name,
        held === id
          ? row
          : new Map([
              [held, group],
              [id, row],
            ]),
      )
    }
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
