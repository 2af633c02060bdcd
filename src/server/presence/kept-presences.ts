import { setUnref } from "../../timers.ts"
import type { Timers } from "../../timers.ts"
import type { Diff, Row, Tracker } from "../../tracker/tracker.ts"
import type { EndedChannel } from "../channel/server-context.ts"
import { nodeOfRow } from "./own-row.ts"

/** What happens to a presence whose connection was lost: it is kept, was replaced by a new join, or is one too many to be kept. */
export type KeptEvent = "kept_presences" | "resumed_presences" | "unkept_presences"

/** What the presences of lost connections need. */
export interface KeptPresencesOptions {
  readonly tracker: Tracker
  readonly timers: Timers
  /** How many are kept at a time; by default any number. */
  readonly maxKeptPresences?: number
  /** Called for each presence to which this happens. */
  count?(name: KeptEvent): void
  /** Removes a presence of a channel that has ended, or all of its presences. */
  untrack(owner: { readonly pid: string; readonly topic?: string; readonly ended: true }, key?: string): void
}

interface Kept {
  readonly topic: string
  readonly pid: string
  /** The pid as rows show it. */
  readonly row: string
  readonly key: string
  /** The disconnect id of the connection, if it had one. */
  readonly id: string | undefined
  timer: unknown
}

/**
 * After which time a kept presence ends if the user is still shown by a newer one, in ms: enough for a node that has lost that one, too,
 * to say so, even if its first message is lost.
 */
const CHECK_MS = 3_000

/**
 * The presences of this node whose connections were lost. Unless a newer one of the user is alive, they stay for a while. The next
 * presence under the same key in the topic, on any node, takes the place of the oldest of them: for others it is an update.
 */
export class KeptPresences {
  readonly #options: KeptPresencesOptions
  /** Topic → key → pid of the row → presence, the oldest first. */
  readonly #topics = new Map<string, Map<string, Map<string, Kept>>>()
  readonly #byId = new Map<string, Set<Kept>>()
  #size = 0
  #isClosed = false
  #undo: (() => void) | undefined

  constructor(options: KeptPresencesOptions) {
    this.#options = options
  }

  /**
   * A channel has ended: removes its presences, or keeps them for a while.
   * @param isLost whether its connection was lost
   * @param id the disconnect id of its connection
   */
  ended({ pid, topic, handlers }: EndedChannel, isLost: boolean, id?: string): void {
    const { presenceGraceMs = 0 } = handlers
    if (!isLost || this.#isClosed || presenceGraceMs === 0) return this.#options.untrack({ pid, ended: true })
    const { tracker, timers, count, maxKeptPresences = Infinity, untrack } = this.#options
    const rows = tracker.getByPid(pid, topic)
    if (rows.length === 0) untrack({ pid, ended: true })
    for (const row of rows) {
      const { key } = row
      const isReplaced = this.#isReplaced(row)
      const isDoubtful = !isReplaced && presenceGraceMs > CHECK_MS && this.#isReplaced(row, true)
      if (isReplaced || this.#size >= maxKeptPresences) {
        if (!isReplaced) count?.("unkept_presences")
        untrack({ pid, topic, ended: true }, key)
        continue
      }
      const one: Kept = {
        pid,
        row: row.pid,
        topic,
        key,
        id,
        timer: undefined,
      }
      const endIn = (ms: number): unknown => setUnref(timers, () => this.#end(one), ms)
      const check = (): void => {
        if (this.#isReplaced(row, true)) this.#end(one)
        else one.timer = endIn(presenceGraceMs - CHECK_MS)
      }
      one.timer = isDoubtful ? setUnref(timers, check, CHECK_MS) : endIn(presenceGraceMs)
      const keys = this.#topics.get(topic) ?? new Map<string, Map<string, Kept>>()
      this.#topics.set(topic, keys.set(key, (keys.get(key) ?? new Map<string, Kept>()).set(row.pid, one)))
      if (id !== undefined) this.#byId.set(id, (this.#byId.get(id) ?? new Set()).add(one))
      this.#size += 1
      count?.("kept_presences")
    }
    // A tracker that keeps nothing is not listened to.
    this.#undo ??= tracker.onDiff((diff) => this.#changed(diff))
  }

  /** Returns how many are kept under a key. */
  count(topic: string, key: string): number {
    return this.#topics.get(topic)?.get(key)?.size ?? 0
  }

  /** Ends those of connections with a disconnect id: a banned user must not be shown until the grace is over. */
  disconnect(id: string): void {
    for (const one of this.#byId.get(id) ?? []) this.#end(one)
  }

  /** Ends all of them, and keeps none from now on. */
  close(): void {
    this.#isClosed = true
    this.#undo?.()
    for (const keys of this.#topics.values())
      for (const all of keys.values()) for (const one of all.values()) this.#end(one)
  }

  /**
   * Returns whether the user is shown by a newer presence that is alive. Example: a page crashes, and its successor joins before the
   * server notices that the page's connection is lost.
   *
   * Of two that joined on two nodes at once, each node takes the other's for the newer one. If both are lost at once, the nodes must not
   * both rely on the other. So at first only those of nodes with a greater name count, which cannot be mutual.
   * @param byAny whether those of all nodes count
   */
  #isReplaced(row: Row, byAny = false): boolean {
    const { topic, key, pid } = row
    const rows = this.#options.tracker.getByKey(topic, key)
    const lost = this.#topics.get(topic)?.get(key)
    const node = nodeOfRow(row)
    // From the newest on: of the thousands of guests under one key, it usually is alive.
    for (let at = rows.length - 1; at >= 0 && rows[at]!.pid !== pid; at -= 1) {
      const newer = rows[at]!
      if (lost?.has(newer.pid) !== true && (byAny || nodeOfRow(newer) >= node)) return true
    }
    return false
  }

  #changed(diff: Diff): void {
    if (this.#size === 0) return
    for (const [topic, change] of diff) {
      // The rows of other topics are not read: they take less memory until they are.
      const keys = this.#topics.get(topic)
      if (keys === undefined) continue
      for (const { key, pid } of change.leaves) this.#left(keys.get(key)?.get(pid))
      for (const { key, meta } of change.joins) {
        // A join that replaces a row is an update, for instance by the user's other device.
        const oldest = meta.phx_ref_prev === undefined ? keys.get(key)?.values().next().value : undefined
        if (oldest === undefined) continue
        this.#options.count?.("resumed_presences")
        this.#end(oldest)
      }
    }
  }

  /** Forgets a presence that the application has removed, for instance in `left`. Its row may also have left for an updated one. */
  #left(one: Kept | undefined): void {
    if (one === undefined) return
    const rows = this.#options.tracker.getByPid(one.pid, one.topic)
    if (rows.every(({ key }) => key !== one.key)) this.#forget(one)
  }

  /** Removes a presence: after the one that replaces it has been added, so that the key never seems to be absent. */
  #end(one: Kept): void {
    this.#forget(one)
    this.#options.untrack({ pid: one.pid, topic: one.topic, ended: true }, one.key)
  }

  #forget(one: Kept): void {
    const { row, topic, key, id, timer } = one
    this.#options.timers.clear(timer)
    const keys = this.#topics.get(topic)
    const same = keys?.get(key)
    if (same?.delete(row) !== true) return
    if (same.size === 0) keys?.delete(key)
    if (keys?.size === 0) this.#topics.delete(topic)
    const sameId = id === undefined ? undefined : this.#byId.get(id)
    if (sameId?.delete(one) && sameId.size === 0) this.#byId.delete(id!)
    this.#size -= 1
  }
}
