import type { Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"

/** The history of one row, which its `phx_ref` identifies. */
interface Entry {
  row: Row
  /** Whether the row was there before the first change. */
  readonly wasPresent: boolean
  isPresent: boolean
  /** The version in which the row first came or went. */
  readonly changedIn: number
  /** The versions in which it came or went again, in order. */
  changedAgainIn: number[] | undefined
}

/**
 * Several diffs of one topic folded into one.
 *
 * A row that joined and left is left out, and so is one that left and joined again. A join names in `phx_ref_prev` the
 * row that it replaces for a receiver of the folded diff, which may be an older one than its owner replaced: of the
 * updates a→b→c the receiver gets c in the place of a.
 *
 * A state of the topic that is read between two changes may be sent to a client, which then gets the folded diff. Example:
 * ada joins, a list with ada is sent to a client, ada leaves. A diff without ada would keep her in that client's view for
 * ever. So `observe` marks the version that was read, and the folded diff contains each row that was different in that
 * version: a row that joined before and left after it is in joins and in leaves, one that left before and joined after it
 * is in joins.
 */
export class FoldedDiff {
  #entries = new Map<string, Entry>()
  #version = 0
  /** The versions that were read, in the order in which they were marked. */
  #observed: number[] = []

  /** The number of diffs added so far. */
  get version(): number {
    return this.#version
  }

  /** Marks a version as read: the folded diff will bring the topic of that version up to date, too. */
  observe(version: number): void {
    if (this.#observed.at(-1) !== version) this.#observed.push(version)
  }

  add({ joins, leaves }: TopicDiff): void {
    this.#version += 1
    // A tracker's diff may have the leave and the join of one row, from a node that was out of sight for a moment.
    for (const row of leaves) this.#set(row, false)
    for (const row of joins) this.#set(row, true)
  }

  /** Returns the folded diff, perhaps an empty one, and starts anew. */
  take(): TopicDiff {
    const joins: Row[] = []
    const leaves: Row[] = []
    this.#observed.sort((one, other) => one - other)
    for (const entry of this.#entries.values()) {
      const { row, wasPresent, isPresent } = entry
      const isDropped = wasPresent === isPresent && !this.#wasObservedChanged(entry)
      if (isDropped) continue
      if (isPresent || !wasPresent) joins.push(this.#rebased(row))
      if (!isPresent) leaves.push(row)
    }
    this.#entries = new Map()
    this.#observed = []
    this.#version = 0
    return { joins, leaves }
  }

  #set(row: Row, isPresent: boolean): void {
    const ref = row.meta.phx_ref
    const entry = this.#entries.get(ref)
    if (entry === undefined) {
      const changedIn = this.#version
      this.#entries.set(ref, { row, wasPresent: !isPresent, isPresent, changedIn, changedAgainIn: undefined })
      return
    }
    if (entry.isPresent === isPresent) return
    entry.isPresent = isPresent
    // Its join, if it has one, names what it replaces.
    if (isPresent) entry.row = row
    ;(entry.changedAgainIn ??= []).push(this.#version)
  }

  /** Whether a version was read in which a row was different that is the same at the beginning and at the end. */
  #wasObservedChanged({ changedIn, changedAgainIn }: Entry): boolean {
    if (this.#observed.length === 0 || changedAgainIn === undefined) return false
    // Changes come in pairs, a join and a leave or a leave and a join: between the two of a pair, the row is different.
    let from = changedIn
    for (const [at, version] of changedAgainIn.entries()) {
      if (at % 2 === 1) from = version
      else if (this.#wasObserved(from, version)) return true
    }
    return false
  }

  /** Whether a version of `from` up to, but not, `to` was read; needs the versions in order. */
  #wasObserved(from: number, to: number): boolean {
    let [low, high] = [0, this.#observed.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#observed[middle]! < from) low = middle + 1
      else high = middle
    }
    return low < this.#observed.length && this.#observed[low]! < to
  }

  /** Returns the row with the nearest of its predecessors that a receiver knows. */
  #rebased(row: Row): Row {
    let previous = row.meta.phx_ref_prev
    for (let entry = this.#dropped(previous); entry !== undefined; entry = this.#dropped(previous)) {
      previous = entry.row.meta.phx_ref_prev
    }
    return replacing(row, previous)
  }

  /** The entry of a row that joined and left and that the folded diff leaves out. */
  #dropped(ref: string | undefined): Entry | undefined {
    const entry = ref === undefined ? undefined : this.#entries.get(ref)
    return entry?.wasPresent === false && !entry.isPresent && !this.#wasObservedChanged(entry) ? entry : undefined
  }
}

/** Returns the row with another `phx_ref_prev`, or the row itself if it has that one already. */
export function replacing(row: Row, replaced: string | undefined): Row {
  if (row.meta.phx_ref_prev === replaced) return row
  const { phx_ref_prev: _, ...fields } = row.meta
  const meta = replaced === undefined ? fields : { ...fields, phx_ref_prev: replaced }
  return { topic: row.topic, pid: row.pid, key: row.key, meta: Object.freeze(meta) as TrackedMeta }
}
