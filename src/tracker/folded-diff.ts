import type { Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"

/** The history of one row, which its `phx_ref` identifies. */
interface Entry {
  row: Row
  /** Whether the row was present before the first change. */
  readonly wasPresent: boolean
  isPresent: boolean
  /** The version in which the row joined or left for the first time. */
  readonly changedIn: number
  /** The versions in which it joined or left again, in order. */
  changedAgainIn: number[] | undefined
}

/**
 * Several diffs of one topic folded into one.
 *
 * A row that joined and left is left out, and so is a row that left and joined again. The `phx_ref_prev` of a join names
 * the row that the join replaces at a receiver of the folded diff. That may be an older row than the one that the owner
 * replaced: for the updates a→b→c, the receiver gets c, which replaces a.
 *
 * If the topic is read between two changes, a client may be sent that state, and the folded diff afterwards. Example: ada
 * joins, a client is sent a list with ada, ada leaves. A diff without ada would keep her in that client's view for ever.
 * So `observe` marks the version that was read, and the folded diff contains each row that was different in that version:
 * - A row that joined before the read and left after it is in joins and in leaves.
 * - A row that left before the read and joined after it is in joins.
 */
export class FoldedDiff {
  #entries = new Map<string, Entry>()
  /** The diffs added so far. They are read in `take`: a diff that is not taken must not open its rows (see `sealedRow`). */
  #diffs: TopicDiff[] = []
  /** The version up to which the diffs have been read. */
  #version = 0
  /** The versions that were read, in the order in which they were marked. */
  #observed: number[] = []

  /** The number of diffs added so far. */
  get version(): number {
    return this.#diffs.length
  }

  /** Marks a version as read. The folded diff then also brings a view of that version up to date. */
  observe(version: number): void {
    if (this.#observed.at(-1) !== version) this.#observed.push(version)
  }

  add(diff: TopicDiff): void {
    this.#diffs.push(diff)
  }

  /** Returns the folded diff, which may be empty, and starts the next one. */
  take(): TopicDiff {
    const joins: Row[] = []
    const leaves: Row[] = []
    for (const diff of this.#diffs) this.#read(diff)
    this.#observed.sort((one, other) => one - other)
    for (const entry of this.#entries.values()) {
      const { row, wasPresent, isPresent } = entry
      const isDropped = wasPresent === isPresent && !this.#wasObservedChanged(entry)
      if (isDropped) continue
      if (isPresent || !wasPresent) joins.push(this.#rebased(row))
      if (!isPresent) leaves.push(row)
    }
    this.#entries = new Map()
    this.#diffs = []
    this.#observed = []
    this.#version = 0
    return { joins, leaves }
  }

  #read({ joins, leaves }: TopicDiff): void {
    this.#version += 1
    // Leaves come first: a tracker's diff may contain the leave and the new join of one row, if its node was down for a
    // moment.
    for (const row of leaves) this.#set(row, false)
    for (const row of joins) this.#set(row, true)
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
    // The row of the join is kept, because its `phx_ref_prev` names the row that it replaces.
    if (isPresent) entry.row = row
    ;(entry.changedAgainIn ??= []).push(this.#version)
  }

  /**
   * For a row that is the same at the beginning and at the end: whether a version was read in which it was different.
   */
  #wasObservedChanged({ changedIn, changedAgainIn }: Entry): boolean {
    if (this.#observed.length === 0 || changedAgainIn === undefined) return false
    // The changes are pairs, of a join and a leave or of a leave and a join. The row is different between the two
    // changes
    // of each pair.
    let from = changedIn
    for (const [at, version] of changedAgainIn.entries()) {
      if (at % 2 === 1) from = version
      else if (this.#wasObserved(from, version)) return true
    }
    return false
  }

  /** Whether a version from `from` to `to` was read, without `to` itself. The observed versions must be sorted. */
  #wasObserved(from: number, to: number): boolean {
    let [low, high] = [0, this.#observed.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#observed[middle]! < from) low = middle + 1
      else high = middle
    }
    return low < this.#observed.length && this.#observed[low]! < to
  }

  /** Returns the row with a `phx_ref_prev` that names its nearest predecessor that a receiver knows. */
  #rebased(row: Row): Row {
    let previous = row.meta.phx_ref_prev
    for (let entry = this.#dropped(previous); entry !== undefined; entry = this.#dropped(previous)) {
      previous = entry.row.meta.phx_ref_prev
    }
    return replacing(row, previous)
  }

  /**
   * Returns the entry of a row that the folded diff leaves out because it joined and left; `undefined` for any other
   * row.
   */
  #dropped(ref: string | undefined): Entry | undefined {
    const entry = ref === undefined ? undefined : this.#entries.get(ref)
    return entry?.wasPresent === false && !entry.isPresent && !this.#wasObservedChanged(entry) ? entry : undefined
  }
}

/** Returns the row with `replaced` as its `phx_ref_prev`, or the row itself if nothing changes. */
export function replacing(row: Row, replaced: string | undefined): Row {
  if (row.meta.phx_ref_prev === replaced) return row
  const { phx_ref_prev: _, ...fields } = row.meta
  const meta = replaced === undefined ? fields : { ...fields, phx_ref_prev: replaced }
  return { topic: row.topic, pid: row.pid, key: row.key, meta: Object.freeze(meta) as TrackedMeta }
}
