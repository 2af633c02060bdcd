import type { VersionVector } from "./clock.ts"
import { Changes, NO_CHANGE, type SetDiff } from "./set-diff.ts"
import { ReplicaDots, type Part, type Parts } from "./replica-dots.ts"
import { RowGroups } from "./row-groups.ts"
import { PendingDelta, type Delta } from "./delta.ts"
import type { Meta, Row } from "./row.ts"
import { VisibleRows } from "./visible-rows.ts"

/** Everything that a set knows of some replicas: the response to a transfer request that no delta covers. */
export interface FullState<M = Meta> {
  readonly mode: "full"
  readonly parts: Parts<M>
}

/**
 * An observed-removed set without tombstones: the presences of all replicas, as one replica knows them.
 *
 * Each added row has a dot, which is the ref and the clock of the replica that added it. Each set remembers which dots
 * it has seen. A dot that has been seen and has no row has been removed. So when node2 receives a row of user1, it
 * needs no wall clock to decide: if the row's dot is new to node2, it adds the row; if the dot has been seen, it
 * discards it.
 *
 * A ref is an opaque string here. The tracker makes it from a node's name and a random part, so that a restarted node
 * is another replica. Each operation returns the exact change of the visible rows, `NO_CHANGE` if there is none.
 * Nothing here throws: an operation on a row that does not exist changes nothing, and parts of a payload that concern
 * unknown replicas or the own one are ignored.
 *
 * Differences from Phoenix.Tracker, and their reasons:
 * - A removed dot stays seen (D1, see `ReplicaDots.merge`). Rows that compete for one place are ordered by clock and
 *   ref, and the row that loses the place is reported as a leave (D2, D3, see `VisibleRows`). So merging is
 *   commutative, associative and idempotent.
 * - Rows are found by ref and clock (D7), and context and cloud are one value (see `Ranges`).
 * - A diff contains visible rows only. Phoenix also reports rows of replicas that are down, and reports all rows again
 *   for a replica that is up already. A client that applies such diffs shows users that `list` does not contain.
 * - Only the owner decides about its own history: no payload moves its clock. Otherwise a payload with an absurd clock
 *   for it would use up the numbers that its next dots need.
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
   * Adds a presence of this replica's `pid` (T5). If the pid already has one in this topic under this key, it is
   * replaced, as by `update`. The tracker calls `find` first and refuses with `already_tracked`.
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
   * Gives a presence of this replica a new meta: a leave and a join in one operation, with two dots (T8). Changes
   * nothing if there is no such presence. The tracker calls `find` first, to get the previous `phx_ref` and to refuse
   * with `not_tracked`.
   */
  update(pid: string, topic: string, key: string, meta: M): SetDiff<M> {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#replace(pid, topic, key, meta, row)
  }

  /**
   * Removes a presence of this replica (T6). The removal has a dot of its own, so that others see that they lack it.
   */
  leave(pid: string, topic: string, key: string): SetDiff<M> {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#leave([row])
  }

  /** Removes all presences of this replica's `pid` (T7), when the process has ended. */
  leaveAll(pid: string): SetDiff<M> {
    return this.#leave(this.getByPid(pid))
  }

  /**
   * Returns the changes since the last call, and starts the next delta (T10). It contains own operations and the
   * removals of others that were merged.
   *
   * The tracker calls it for each heartbeat, broadcasts the result and pushes it to its `Generations`. `undefined`
   * means that nothing has changed: the heartbeat is sent without a delta.
   */
  takeDelta(): Delta<M> | undefined {
    return this.#pending.take()
  }

  /**
   * Returns everything that is known of the replicas in `remoteContext`, for `remoteRef` to merge (T18). The tracker
   * sends it in response to a transfer request for which `Generations.extract` has nothing.
   *
   * A replica that the requesting node does not know is left out: it has been removed there, and its rows would come
   * back as ghosts. The requesting replica's own part is left out too, both its rows and its seen dots, since it would
   * ignore them. Leaving out only the rows would mean that they have been removed. So the payload must not be passed on
   * to a third node.
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
   * Merges what another replica sent: the delta of a heartbeat, or the response to a transfer request (T13 to T17).
   *
   * The tracker calls `replicaUp` for the sender first, since parts of unknown replicas are ignored. Every payload of
   * this type is safe to merge: invalid ranges and rows are ignored one by one, and a high clock costs no more than a
   * low one. The set keeps the row objects of the payload, so the caller must not change them.
   */
  merge(payload: Delta<M> | FullState<M>): SetDiff<M> {
    const changes = new Changes<M>()
    const joining: Row<M>[] = []
    const leaving = new Set<Row<M>>()
    for (const [ref, part] of payload.parts) {
      const dots = this.#replicas.get(ref)
      if (dots === undefined || dots === this.#own) continue
      const { added, removed } = dots.merge(part)
      for (const row of added) joining.push(row)
      for (const row of removed) leaving.add(row)
    }
    // Joins first: while the leaving row is still in its place, the row that takes the place can be paired with it.
    for (const row of joining) this.#view.add(row, changes, leaving)
    for (const row of leaving) {
      this.#view.remove(row, changes)
      this.#pending.addRemoval(row)
    }
    return changes.diff()
  }

  /**
   * Shows a replica that is new or has returned (T31): the rows that were kept while it was down join. The tracker
   * calls it when a heartbeat shows that the replica is alive.
   */
  replicaUp(ref: string): SetDiff<M> {
    if (!this.#replicas.has(ref)) this.#replicas.set(ref, new ReplicaDots(ref))
    return this.#setVisible(ref, true)
  }

  /**
   * Hides a replica (T31): its rows leave, and are kept so that its return needs no transfer. The tracker calls it when
   * the replica has been silent for `downPeriodMs`.
   */
  replicaDown(ref: string): SetDiff<M> {
    return ref === this.ref ? NO_CHANGE : this.#setVisible(ref, false)
  }

  /**
   * Forgets a replica that is permanently down (T31): its rows, clock and seen dots. Visible rows leave.
   *
   * The tracker calls it after `permdownPeriodMs`, at a goodbye or at a restart. It must also remove the ref from its
   * `Generations` (T24) and ignore late messages of the ref (D9): their dots would be new here.
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

  /** Returns this replica's row in a place, shown or outranked (D2). */
  find(pid: string, topic: string, key: string): Row<M> | undefined {
    return this.#view.find(this.ref, pid, topic, key)
  }

  /**
   * Returns the rows of a topic, key by key. Keys are in the order in which they were first added, and so are the rows
   * of one key; an update keeps its position. The order is local: other nodes may have another one.
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

  /** The number of rows in `online`. The cost is that of the replicas, not of the rows. */
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
   * Replicas that are down are left out. Otherwise nodes that have noticed a silence and nodes that have not would each
   * see the other ahead, and exchange their full states until the silent replica is forgotten, 20 minutes by default.
   */
  clocks(): VersionVector {
    const clocks = new Map<string, number>()
    for (const [ref, dots] of this.#replicas) if (this.#view.isVisible(ref)) clocks.set(ref, dots.clock)
    return clocks
  }

  /** Puts a row into a place that is taken: by the own row `before`, or by rows of other replicas only. */
  #replace(pid: string, topic: string, key: string, meta: M, before = this.find(pid, topic, key)): SetDiff<M> {
    const changes = new Changes<M>()
    // T8: the removal has a dot of its own, which never has a row. Suppose that an update had one dot for both, that
    // its delta is lost, and that the next delta reports the new row as removed. Its dot is then seen, so no gap shows
    // that something is missing, and the row that was replaced here stays elsewhere for ever.
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
/** Returns topic and key in one string. The length in front keeps ("a", "bc") apart from ("ab", "c"). */
const placeOf = (row: Row<unknown>): string => `${row.topic.length}:${row.topic}${row.key}`
