import type { Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"

/** What a fold knows of one row, by its `phx_ref`. */
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
 * Whoever reads the topic between two changes has a state that the folded diff must fit as well. Example: bob joins, a
 * list with bob is sent to a client, bob leaves. A diff without bob would leave him in that client's view for ever. So
 * `observe` marks the version that was read, and the diff then keeps each row that this state has otherwise than the end:
 * one that joined before and left after it is in joins and in leaves, one that left before and joined after it in joins.
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

  /** Whether a version was read in which this row, which is at the end as it was at the beginning, was otherwise. */
  #wasObservedChanged({ changedIn, changedAgainIn }: Entry): boolean {
    if (this.#observed.length === 0 || changedAgainIn === undefined) return false
    // Changes come in pairs: away from how the row was at the beginning, and back.
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

/** The row with `phx_ref_prev` as the receiver needs it, which mostly is the row itself. */
export function replacing(row: Row, replaced: string | undefined): Row {
  if (row.meta.phx_ref_prev === replaced) return row
  const { phx_ref_prev: _, ...fields } = row.meta
  const meta = replaced === undefined ? fields : { ...fields, phx_ref_prev: replaced }
  return { topic: row.topic, pid: row.pid, key: row.key, meta: Object.freeze(meta) as TrackedMeta }
}
