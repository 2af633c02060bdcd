import type { VersionVector } from "./clock.ts"
import { Changes, NO_CHANGE, type Diff } from "./set-diff.ts"
import { ReplicaDots, type Part, type Parts } from "./replica-dots.ts"
import { RowGroups } from "./row-groups.ts"
import { PendingDelta, type Delta } from "./delta.ts"
import type { Meta, Row } from "./row.ts"
import { VisibleRows } from "./visible-rows.ts"

/** All that a set knows of some replicas: the answer to a transfer request that no delta covers. */
export interface FullState {
  readonly mode: "full"
  readonly parts: Parts
}

/**
 * An observed-removed set without tombstones: the presences of all replicas, as one replica knows them.
 *
 * Each addition has a dot, the adding replica's ref and the tick of its clock, and each set remembers which dots it has
 * seen. A dot that is seen and has no row is over. So "does node2 add or discard user1?" is answered from what is
 * there: if user1's dot is new to node2, add; if it has been seen, discard. No clock on a wall is asked.
 *
 * A ref is opaque here; the tracker makes it of a node's name and a random part, so that a restart is another replica.
 * Each operation returns the exact change of what this node shows, `NO_CHANGE` when there is none. Nothing here
 * throws: an operation on what is not there changes nothing, and what a payload says of unknown replicas or of one's
 * own is ignored.
 *
 * Where the rules differ from Phoenix.Tracker's, and why:
 * - A removed dot stays seen (D1, see `ReplicaDots.merge`), and rows that compete for one place are settled by clock and ref
 *   with a leave for the one that yields (D2, D3, see `VisibleRows`). So merging is commutative, associative and idempotent.
 * - Rows are found by ref and clock (D7), and context and cloud are one (see `Ranges`).
 * - A diff tells of what is shown only. Phoenix reports rows of replicas that are down as well, and all rows again for
 *   a replica that is up already: a client that folds such diffs shows users that `list` does not.
 * - The owner alone knows its own history: no payload moves its clock. A payload with an absurd clock for it would
 *   otherwise use up the numbers that its next dots need.
 */
export class Orswot {
  readonly ref: string
  readonly #own: ReplicaDots
  /** The own rows by pid. */
  readonly #pids = new RowGroups(pidOf, placeOf)
  /** All replicas known, oneself first. */
  readonly #replicas: Map<string, ReplicaDots>
  readonly #view = new VisibleRows()
  readonly #pending: PendingDelta

  constructor(ref: string) {
    this.ref = ref
    this.#own = new ReplicaDots(ref)
    this.#replicas = new Map([[ref, this.#own]])
    this.#pending = new PendingDelta(this.#own)
  }

  /**
   * Adds a presence of this replica's `pid` (T5). One that it holds already in this topic under this key is
   * replaced, as by `update`; the tracker asks `find` first and refuses with `already_tracked`.
   */
  join(pid: string, topic: string, key: string, meta: Meta): Diff {
    const row: Row = { topic, pid, key, meta, ref: this.ref, clock: this.#own.clock + 1 }
    if (!this.#view.addFirst(row)) return this.#replace(pid, topic, key, meta)
    this.#own.tick()
    this.#own.put(row)
    this.#pids.add(row)
    return { joins: [row], leaves: [] }
  }

  /**
   * Gives a presence of this replica a new meta: a leave and a join in one, two ticks (T8). Changes nothing when
   * there is none; the tracker asks `find` first, for the former `phx_ref` and to refuse with `not_tracked`.
   */
  update(pid: string, topic: string, key: string, meta: Meta): Diff {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#replace(pid, topic, key, meta, row)
  }

  /** Removes a presence of this replica (T6). The removal takes a tick, so that others see that they lack it. */
  leave(pid: string, topic: string, key: string): Diff {
    const row = this.find(pid, topic, key)
    return row === undefined ? NO_CHANGE : this.#leave([row])
  }

  /** Removes all presences of this replica's `pid` (T7), for when the process has ended. */
  leaveAll(pid: string): Diff {
    return this.#leave(this.getByPid(pid))
  }

  /**
   * What happened since the last call, own operations and removals seen of others, and starts anew (T10).
   *
   * The tracker calls it with each heartbeat and broadcasts the result, and sends an empty heartbeat for `undefined`:
   * nothing happened. It pushes what it broadcasts to its `Generations`.
   */
  takeDelta(): Delta | undefined {
    return this.#pending.take()
  }

  /**
   * All that is known here of the replicas in `remoteContext`, for `remoteRef` to merge (T18); the tracker's
   * answer to a transfer request for which `Generations.extract` has none.
   *
   * A replica that the asker does not know stays out: it has been removed there, and its rows would come back as
   * ghosts. The asker's own part is left out whole, rows and seen dots, as it would ignore it; leaving out the rows
   * alone would say that they have been removed. So the payload is for the asker and not to be passed on.
   */
  extract(remoteRef: string, remoteContext: VersionVector): FullState {
    const parts = new Map<string, Part>()
    for (const ref of remoteContext.keys()) {
      const dots = this.#replicas.get(ref)
      if (dots !== undefined && ref !== remoteRef) parts.set(ref, dots.toPart())
    }
    return { mode: "full", parts }
  }

  /**
   * Takes in what another replica sent: a heartbeat's delta or the answer to a transfer request (T13 to T17).
   *
   * The tracker first calls `replicaUp` for the sender, as parts of replicas that are not known are ignored. Any
   * payload of this type is safe to merge: ranges and rows that make no sense are ignored one by one, and no clock,
   * however high, makes it count up to it. The rows are kept as they are, so the caller must not change them.
   */
  merge(payload: Delta | FullState): Diff {
    const changes = new Changes()
    const joining: Row[] = []
    const leaving = new Set<Row>()
    for (const [ref, part] of payload.parts) {
      const dots = this.#replicas.get(ref)
      if (dots === undefined || dots === this.#own) continue
      const { added, removed } = dots.merge(part)
      for (const row of added) joining.push(row)
      for (const row of removed) leaving.add(row)
    }
    // Joins first: while a row that leaves is still in its place, the one that takes the place makes a pair with it.
    for (const row of joining) this.#view.add(row, changes, leaving)
    for (const row of leaving) {
      this.#view.remove(row, changes)
      this.#pending.removed(row)
    }
    return changes.diff()
  }

  /**
   * Brings a replica in sight, new or returned (T31): its rows, kept while it was out of sight, join. The tracker
   * calls it when a heartbeat shows that the replica is alive.
   */
  replicaUp(ref: string): Diff {
    if (!this.#replicas.has(ref)) this.#replicas.set(ref, new ReplicaDots(ref))
    return this.#see(ref, true)
  }

  /**
   * Puts a replica out of sight (T31): its rows leave and are kept, so that its return costs no transfer. The
   * tracker calls it when the replica has been silent for `down_period`.
   */
  replicaDown(ref: string): Diff {
    return ref === this.ref ? NO_CHANGE : this.#see(ref, false)
  }

  /**
   * Forgets a replica (T31): its rows, clock and seen dots. Rows still in sight leave. The tracker calls it after
   * `permdown_period`, at a goodbye or a restart, removes the ref from its `Generations` too (T24), and sees to it
   * that late messages do not bring the ref up again (D9): its dots would be new.
   */
  removeReplica(ref: string): Diff {
    const changes = new Changes()
    const dots = this.#replicas.get(ref)
    if (dots === undefined || dots === this.#own) return NO_CHANGE
    const rows = dots.rows()
    this.#view.see(ref, false, rows, changes)
    for (const row of rows) this.#view.remove(row, changes)
    this.#view.see(ref, true, [], changes)
    this.#replicas.delete(ref)
    this.#pending.forget(ref)
    return changes.diff()
  }

  /** The row of this replica in that place, shown or outranked (D2). */
  find(pid: string, topic: string, key: string): Row | undefined {
    return this.#view.find(this.ref, pid, topic, key)
  }

  /**
   * The rows of a topic. Keys stand in the order in which they first came to be there, the rows of one key together
   * and in the order of theirs; an update keeps its place. The order is this node's own: others may have another.
   */
  list(topic: string): Row[] {
    return this.#view.list(topic)
  }

  /** The rows of one key of a topic, in the order of `list`. */
  getByKey(topic: string, key: string): Row[] {
    return this.#view.byKey(topic, key)
  }

  /** Returns how many rows `getByKey` has. */
  countByKey(topic: string, key: string): number {
    return this.#view.countByKey(topic, key)
  }

  /** The rows that a pid of this replica holds, in the order of their arrival; an update keeps its place. */
  getByPid(pid: string): Row[] {
    return this.#pids.rows(pid)
  }

  /** All rows, those of one topic together and topics by their arrival. */
  online(): Row[] {
    return this.#view.all()
  }

  /** How many rows `online` has, counted by replica and not by row. */
  get size(): number {
    let size = -this.#view.outranked
    for (const [ref, dots] of this.#replicas) if (this.#view.sees(ref)) size += dots.standing
    return size
  }

  /** How many ticks this replica has given out. */
  get clock(): number {
    return this.#own.clock
  }

  /**
   * How much has been seen of each replica in sight (T11); what heartbeats and transfer requests carry.
   *
   * Replicas out of sight are left out: nodes that have noticed a silence and nodes that have not would otherwise each
   * find the other ahead, and exchange their whole states until the silent one is forgotten, twenty minutes long.
   */
  clocks(): VersionVector {
    const clocks = new Map<string, number>()
    for (const [ref, dots] of this.#replicas) if (this.#view.sees(ref)) clocks.set(ref, dots.clock)
    return clocks
  }

  /** A join into a place that is taken: by `before`, a row of this replica's own, or by others' only. */
  #replace(pid: string, topic: string, key: string, meta: Meta, before = this.find(pid, topic, key)): Diff {
    const changes = new Changes()
    // T8: the removal has a tick of its own, which never has a row. With one tick for both, let the delta of this
    // update be lost and the next one say that the new row is over: its tick would then be seen, no gap would show that
    // something is missing, and the row replaced here would stay elsewhere for ever.
    if (before !== undefined) {
      this.#own.tick()
      this.#own.drop(before)
      this.#pending.removed(before)
    }
    const row: Row = { topic, pid, key, meta, ref: this.ref, clock: this.#own.tick() }
    this.#own.put(row)
    if (before === undefined) this.#pids.add(row)
    else this.#pids.replace(row)
    this.#view.add(row, changes, before && new Set([before]))
    return changes.diff()
  }

  #leave(rows: readonly Row[]): Diff {
    const changes = new Changes()
    for (const row of rows) {
      this.#own.tick()
      this.#drop(row, changes)
    }
    return changes.diff()
  }

  #drop(row: Row, changes: Changes): void {
    this.#own.drop(row)
    this.#pids.delete(row)
    this.#pending.removed(row)
    this.#view.remove(row, changes)
  }

  #see(ref: string, inSight: boolean): Diff {
    const changes = new Changes()
    const dots = this.#replicas.get(ref)
    if (dots !== undefined && this.#view.sees(ref) !== inSight) {
      this.#view.see(ref, inSight, dots.rows(), changes)
    }
    return changes.diff()
  }
}

const pidOf = (row: Row): string => row.pid
/** Topic and key in one string; the length in front keeps ("a", "bc") apart from ("ab", "c"). */
const placeOf = (row: Row): string => `${row.topic.length}:${row.topic}${row.key}`
