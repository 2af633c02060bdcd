import type { VersionVector } from "./clock.ts"
import { Changes, NO_CHANGE, type SetDiff } from "./set-diff.ts"
import { ReplicaDots, type Part, type Parts } from "./replica-dots.ts"
import { RowGroups } from "./row-groups.ts"
import { PendingDelta, type Delta } from "./delta.ts"
import { shareRef, type Meta, type Row } from "./row.ts"
import { VisibleRows } from "./visible-rows.ts"

/** Everything that a set knows of some replicas. It is the response to a transfer request if no delta is sufficient. */
export interface FullState<M = Meta> {
  readonly mode: "full"
  readonly parts: Parts<M>
}

/**
 * An observed-removed set without tombstones: the presences of all replicas, as one replica knows them.
 *
 * Each added row has a dot, which is the ref and the clock of the replica that added it. Each set remembers which dots
 * it has seen. If a dot has been seen and has no row, its row has been removed. So when node2 receives a row of user1, it
 * needs no wall clock: it adds the row if it has not seen the row's dot, and discards the row if it has.
 *
 * A ref is an opaque string here. The tracker makes it from a node's name and a random part, so that a restarted node is
 * a new replica. Each operation returns the exact change of the visible rows, or `NO_CHANGE`. No operation throws: an
 * operation on a row that does not exist changes nothing, and the parts of a payload for unknown replicas and for the own
 * replica are ignored.
 *
 * Differences from Phoenix.Tracker, and their reasons:
 * - A removed dot stays seen (D1, see `ReplicaDots.merge`). Rows with the same place are ordered by clock and ref, and a
 *   row that is no longer shown is reported as a leave (D2, D3, see `VisibleRows`). So merging is commutative, associative
 *   and idempotent.
 * - Rows are found by ref and clock (D7). Phoenix's context and cloud are stored as one value (see `Ranges`).
 * - A diff contains visible rows only. Phoenix also reports rows of replicas that are down, and reports all rows once
 *   more for a replica that was already up. A client that applies such diffs shows users that `list` does not contain.
 * - No payload changes the own clock. Otherwise an invalid payload with a very high clock would use up the numbers that
 *   the next own dots need.
 */
export class Orswot<M = Meta> {
  readonly ref: string
  readonly #own: ReplicaDots<M>
  /** The own rows, grouped by pid. */
  readonly #ownByPid = new RowGroups<M>(pidOf, placeOf)
  /** All known replicas, the own one first. */
  readonly #replicas: Map<string, ReplicaDots<M>>
  readonly #view = new VisibleRows<M>()
  readonly #pending: PendingDelta<M>

  constructor(ref: string) {
    this.ref = ref
    this.#own = new ReplicaDots(ref)
    this.#replicas = new Map([[ref, this.#own]])
    this.#pending = new PendingDelta(this.#own)
  }

  /**
   * Adds a presence of this replica's `pid` (T5). If the pid already has one in this topic under this key, that one is
   * replaced, as by `update`. The tracker prevents this: it calls `find` first and throws `already_tracked`.
   */
  join(pid: string, topic: string, key: string, meta: M): SetDiff<M> {
    const row: Row<M> = { topic, pid, key, meta, ref: this.ref, clock: this.#own.clock + 1 }
    if (!this.#view.addIfFree(row)) return this.#replace(pid, topic, key, meta)
    this.#own.tick()
    this.#own.put(row)
    this.#ownByPid.add(row)
    return { joins: [row], leaves: [] }
  }

  /**
   * Replaces the meta of a presence of this replica: a leave and a join in one operation, with two dots (T8). Does nothing
   * if the presence does not exist. The tracker calls `find` first, to read the previous `phx_ref` and to throw
   * `not_tracked`.
   */
  update(pid: string, topic: string, key: string, meta: M): SetDiff<M> {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#replace(pid, topic, key, meta, row)
  }

  /**
   * Removes a presence of this replica (T6). The removal has its own dot, so that other replicas detect if they missed it.
   */
  leave(pid: string, topic: string, key: string): SetDiff<M> {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#leave([row])
  }

  /** Removes all presences of this replica's `pid` (T7). To be called when the process has ended. */
  leaveAll(pid: string): SetDiff<M> {
    return this.#leave(this.getByPid(pid))
  }

  /**
   * Returns the changes since the last call, and starts the next delta (T10). The delta contains own operations and the
   * merged removals of other replicas' rows. Returns `undefined` if nothing has changed.
   *
   * The tracker calls it for each heartbeat, broadcasts the result and pushes it to its `Generations`.
   */
  takeDelta(): Delta<M> | undefined {
    return this.#pending.take()
  }

  /**
   * Returns everything that is known of the replicas in `remoteContext`, for `remoteRef` to merge (T18). The tracker
   * sends it in response to a transfer request if `Generations.extract` returns nothing.
   *
   * A replica that the requesting node does not know is left out. That node may have removed it, and its rows would come
   * back as ghosts. The requesting replica's own part is left out, too, because the requester would ignore it. Both its
   * rows and its seen dots are left out: seen dots without rows would mean that the rows have been removed. As that part
   * is missing, the payload must not be passed on to a third node.
   */
  extract(remoteRef: string, remoteContext: VersionVector): FullState<M> {
    const parts = new Map<string, Part<M>>()
    for (const ref of remoteContext.keys()) {
      const dots = this.#replicas.get(ref)
      if (dots !== undefined && ref !== remoteRef) parts.set(ref, dots.toPart())
    }
    return { mode: "full", parts }
  }

  /**
   * Merges a payload of another replica: the delta of a heartbeat, or the response to a transfer request (T13 to T17).
   *
   * The tracker calls `replicaUp` for the sender first, since parts of unknown replicas are ignored. A payload may be
   * invalid: each invalid range or row is ignored by itself, and a high clock costs no more than a low one. The set keeps
   * the row objects of the payload, so the caller must not change them.
   */
  merge(payload: Delta<M> | FullState<M>): SetDiff<M> {
    const changes = new Changes<M>()
    const joining: Row<M>[] = []
    const leaving = new Set<Row<M>>()
    for (const [ref, part] of payload.parts) {
      const dots = this.#replicas.get(ref)
      if (dots === undefined || dots === this.#own) continue
      const { added, removed } = dots.merge(part)
      for (const row of added) joining.push(shareRef(row, dots.ref))
      for (const row of removed) leaving.add(row)
    }
    // Joins come first. While the leaving row is still in its place, the row that takes the place can be paired with
    // it.
    for (const row of joining) this.#view.add(row, changes, leaving)
    for (const row of leaving) {
      this.#view.remove(row, changes)
      this.#pending.addRemoval(row)
    }
    return changes.diff()
  }

  /**
   * Shows a replica that is new or has returned (T31). The rows that were kept while it was down join again. The tracker
   * calls it when a heartbeat shows that the replica is alive.
   */
  replicaUp(ref: string): SetDiff<M> {
    if (!this.#replicas.has(ref)) this.#replicas.set(ref, new ReplicaDots(ref))
    return this.#setVisible(ref, true)
  }

  /**
   * Hides a replica (T31). Its rows leave, but are kept, so that its return needs no transfer. The tracker calls it when
   * the replica has been silent for `downPeriodMs`.
   */
  replicaDown(ref: string): SetDiff<M> {
    return ref === this.ref ? NO_CHANGE : this.#setVisible(ref, false)
  }

  /**
   * Forgets a replica that is permanently down (T31): its rows, clock and seen dots. Visible rows leave.
   *
   * The tracker calls it after a silence of `permdownPeriodMs`, at a goodbye, or at a restart. It must also remove the ref
   * from its `Generations` (T24) and ignore late messages of the ref (D9), because their dots would count as new here.
   */
  removeReplica(ref: string): SetDiff<M> {
    const changes = new Changes<M>()
    const dots = this.#replicas.get(ref)
    if (dots === undefined || dots === this.#own) return NO_CHANGE
    const rows = dots.rows()
    this.#view.setVisible(ref, false, rows, changes)
    for (const row of rows) this.#view.remove(row, changes)
    this.#view.setVisible(ref, true, [], changes)
    this.#replicas.delete(ref)
    this.#pending.forget(ref)
    return changes.diff()
  }

  /** Returns this replica's row with this pid, topic and key. It may be outranked, so that it is not shown (D2). */
  find(pid: string, topic: string, key: string): Row<M> | undefined {
    return this.#view.find(this.ref, pid, topic, key)
  }

  /**
   * Returns the rows of a topic, grouped by key. Keys, and the rows of one key, are in the order in which they were first
   * added here; an update keeps its position. Other nodes may have another order.
   */
  list(topic: string): Row<M>[] {
    return this.#view.list(topic)
  }

  /** Returns the rows under one key of a topic, in the order of `list`. */
  getByKey(topic: string, key: string): Row<M>[] {
    return this.#view.byKey(topic, key)
  }

  /** Returns how many rows `getByKey` would return. */
  countByKey(topic: string, key: string): number {
    return this.#view.countByKey(topic, key)
  }

  /**
   * Returns the rows that a pid of this replica holds, in the order in which they were added; an update keeps its
   * position.
   */
  getByPid(pid: string): Row<M>[] {
    return this.#ownByPid.rows(pid)
  }

  /** Returns all visible rows, topic by topic, in the order in which the topics appeared. */
  online(): Row<M>[] {
    return this.#view.all()
  }

  /** The number of rows in `online`. The cost depends on the number of replicas, not of rows. */
  get size(): number {
    let size = -this.#view.outrankedCount
    for (const [ref, dots] of this.#replicas) if (this.#view.isVisible(ref)) size += dots.rowCount
    return size
  }

  /** The number of dots that this replica has used. */
  get clock(): number {
    return this.#own.clock
  }

  /**
   * Returns how much has been seen of each replica that is up (T11), for heartbeats and transfer requests.
   *
   * Replicas that are down are left out. Otherwise two nodes, of which only one has marked a silent replica as down, would
   * each believe that the other is ahead. They would exchange full states until the silent replica is forgotten, which
   * takes 20 minutes by default.
   */
  clocks(): VersionVector {
    const clocks = new Map<string, number>()
    for (const [ref, dots] of this.#replicas) if (this.#view.isVisible(ref)) clocks.set(ref, dots.clock)
    return clocks
  }

  /** Returns the clock that `clocks` has for a replica; `undefined` if the replica is not known or not up. */
  clockOf(ref: string): number | undefined {
    return this.#view.isVisible(ref) ? this.#replicas.get(ref)?.clock : undefined
  }

  /** Returns the parts of all known replicas, the own one first, also of those that are down. */
  parts(): Parts<M> {
    return new Map(Array.from(this.#replicas, ([ref, dots]) => [ref, dots.toPart()]))
  }

  /** Adds an own row to a place that is not empty. It replaces the own row `before`, if there is one there. */
  #replace(pid: string, topic: string, key: string, meta: M, before = this.find(pid, topic, key)): SetDiff<M> {
    const changes = new Changes<M>()
    // The removal has its own dot, which never has a row (T8). Counter-example with one dot for both: an update's delta is lost,
    // and the next delta reports the new row as removed. The receiver has then seen the dot, so no gap shows that something is
    // missing, and it keeps the replaced row for ever.
    if (before !== undefined) {
      this.#own.tick()
      this.#own.drop(before)
      this.#pending.addRemoval(before)
    }
    const row: Row<M> = { topic, pid, key, meta, ref: this.ref, clock: this.#own.tick() }
    this.#own.put(row)
    if (before === undefined) this.#ownByPid.add(row)
    else this.#ownByPid.replace(row)
    this.#view.add(row, changes, before && new Set([before]))
    return changes.diff()
  }

  #leave(rows: readonly Row<M>[]): SetDiff<M> {
    const changes = new Changes<M>()
    for (const row of rows) {
      this.#own.tick()
      this.#drop(row, changes)
    }
    return changes.diff()
  }

  #drop(row: Row<M>, changes: Changes<M>): void {
    this.#own.drop(row)
    this.#ownByPid.delete(row)
    this.#pending.addRemoval(row)
    this.#view.remove(row, changes)
  }

  #setVisible(ref: string, isVisible: boolean): SetDiff<M> {
    const changes = new Changes<M>()
    const dots = this.#replicas.get(ref)
    if (dots !== undefined && this.#view.isVisible(ref) !== isVisible) {
      this.#view.setVisible(ref, isVisible, dots.rows(), changes)
    }
    return changes.diff()
  }
}

const pidOf = (row: Row<unknown>): string => row.pid
/** Returns topic and key in one string, which starts with the topic's length: ("a", "bc") and ("ab", "c") differ. */
const placeOf = (row: Row<unknown>): string => `${row.topic.length}:${row.topic}${row.key}`
