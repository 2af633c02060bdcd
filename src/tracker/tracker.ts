import { RollcallError } from "../error.ts"
import type { References } from "./reference.ts"

/** What is tracked: the fields of one device, with the reference that tells it from all others. */
export type TrackedMeta = Readonly<Record<string, unknown>> & {
  readonly phx_ref: string
  readonly phx_ref_prev?: string
}

/** One presence: `pid` (the process that holds it, unique on its node) is in `topic` under `key`. */
export interface Row {
  readonly topic: string
  readonly pid: string
  readonly key: string
  readonly meta: TrackedMeta
}

/** What changed in one topic. An update is in both: its old row in `leaves`, its new one in `joins`. */
export interface TopicDiff {
  readonly joins: readonly Row[]
  readonly leaves: readonly Row[]
}

/** What changed, by topic: one operation, or one message from another node. */
export type Diff = ReadonlyMap<string, TopicDiff>

/**
 * Who is where. Operations take effect at once on this node, and reach the others in time (tracker rules 35–38).
 *
 * A meta is kept as it is handed in: the caller gives an object that nobody changes afterwards.
 */
export interface Tracker {
  /**
   * Adds a presence and returns its reference.
   * @throws RollcallError `already_tracked` when this pid already holds this key in this topic (rule 36)
   */
  track(pid: string, topic: string, key: string, meta: object): string
  /** Removes a presence, or all of the pid's in a topic, or all of the pid's; what is not there is passed over (rule 37). */
  untrack(pid: string, topic?: string, key?: string): void
  /**
   * Replaces a meta and returns the new reference; the old one becomes `phx_ref_prev` (rule 37).
   * @throws RollcallError `not_tracked` when this pid does not hold this key in this topic
   */
  update(pid: string, topic: string, key: string, meta: object | ((current: TrackedMeta) => object)): string
  /** The presences of a topic, in the order in which this node learned of them; an update keeps its place. */
  list(topic: string): Iterable<Row>
  /** The presences under one key of a topic, in the same order. */
  getByKey(topic: string, key: string): readonly Row[]
  /** The presences that a pid holds in a topic, oldest first. */
  getByPid(pid: string, topic: string): readonly Row[]
  /** Calls back after each change has been made, never from within another (D13). Returns its own undo. */
  onDiff(listener: (diff: Diff) => void): () => void
  /** Ends it: nothing is sent or called back any more. */
  close(): Promise<void>
}

/** A tracker alone in its process: no other nodes, nothing to start. */
export function localTracker(references: References): Tracker {
  return new LocalTracker(references)
}

class LocalTracker implements Tracker {
  readonly #references: References
  /** topic → pid and key → row. The pair is joined by a character that no pid has. */
  readonly #topics = new Map<string, Map<string, Row>>()
  readonly #pids = new Map<string, Set<Row>>()
  readonly #listeners = new Set<(diff: Diff) => void>()
  /** The diff being told, and those that its listeners caused: told one after the other. */
  readonly #reports: Diff[] = []

  constructor(references: References) {
    this.#references = references
  }

  track(pid: string, topic: string, key: string, meta: object): string {
    if (this.#find(pid, topic, key) !== undefined) {
      throw new RollcallError("already_tracked", `expected a key that ${pid} does not hold in ${topic}, got "${key}"`)
    }
    const row = this.#put(pid, topic, key, { ...meta, phx_ref: this.#references.next() })
    this.#report(new Map([[topic, { joins: [row], leaves: [] }]]))
    return row.meta.phx_ref
  }

  untrack(pid: string, topic?: string, key?: string): void {
    const diff = new Map<string, { joins: Row[]; leaves: Row[] }>()
    for (const row of this.#pids.get(pid) ?? []) {
      if ((topic !== undefined && row.topic !== topic) || (key !== undefined && row.key !== key)) continue
      const { leaves } = diff.get(row.topic) ?? { leaves: [] }
      diff.set(row.topic, { joins: [], leaves: [...leaves, row] })
      this.#drop(row)
    }
    if (diff.size > 0) this.#report(diff)
  }

  update(pid: string, topic: string, key: string, meta: object | ((current: TrackedMeta) => object)): string {
    const old = this.#find(pid, topic, key)
    if (old === undefined) {
      throw new RollcallError("not_tracked", `expected a key that ${pid} holds in ${topic}, got "${key}"`)
    }
    const fields = typeof meta === "function" ? meta(old.meta) : meta
    this.#pids.get(pid)?.delete(old)
    const refs = { phx_ref: this.#references.next(), phx_ref_prev: old.meta.phx_ref }
    const row = this.#put(pid, topic, key, { ...fields, ...refs })
    this.#report(new Map([[topic, { joins: [row], leaves: [old] }]]))
    return row.meta.phx_ref
  }

  list(topic: string): Iterable<Row> {
    return this.#topics.get(topic)?.values() ?? []
  }

  getByKey(topic: string, key: string): readonly Row[] {
    return [...this.list(topic)].filter((row) => row.key === key)
  }

  getByPid(pid: string, topic: string): readonly Row[] {
    return [...(this.#pids.get(pid) ?? [])].filter((row) => row.topic === topic)
  }

  onDiff(listener: (diff: Diff) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#listeners.clear()
  }

  #find(pid: string, topic: string, key: string): Row | undefined {
    return this.#topics.get(topic)?.get(`${pid}\n${key}`)
  }

  #put(pid: string, topic: string, key: string, meta: TrackedMeta): Row {
    const row = { topic, pid, key, meta: Object.freeze(meta) }
    const rows = this.#topics.get(topic) ?? new Map<string, Row>()
    this.#topics.set(topic, rows.set(`${pid}\n${key}`, row))
    this.#pids.set(pid, (this.#pids.get(pid) ?? new Set()).add(row))
    return row
  }

  #drop(row: Row): void {
    const rows = this.#topics.get(row.topic)
    rows?.delete(`${row.pid}\n${row.key}`)
    if (rows?.size === 0) this.#topics.delete(row.topic)
    const held = this.#pids.get(row.pid)
    held?.delete(row)
    if (held?.size === 0) this.#pids.delete(row.pid)
  }

  #report(diff: Diff): void {
    this.#reports.push(diff)
    if (this.#reports.length > 1) return
    while (this.#reports[0] !== undefined) {
      for (const listener of this.#listeners) listener(this.#reports[0])
      this.#reports.shift()
    }
  }
}
