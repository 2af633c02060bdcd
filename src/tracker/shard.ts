import type { VersionVector } from "../crdt/clock.ts"
import { Orswot } from "../crdt/orswot.ts"
import { opened } from "../crdt/sealed-row.ts"
import { NO_CHANGE, type SetDiff } from "../crdt/set-diff.ts"
import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import type { StatusChange } from "./membership.ts"
import type { Delta, FullState, Payload } from "./tracked-payload.ts"
import type { PhxRefGenerator } from "./phx-ref.ts"
import { clusterPid, nodeOf } from "./replica-ref.ts"
import type { Replica } from "./replica.ts"
import type { SeenReplica } from "./seen-replica.ts"
import { topicDiffs, type Diff, type Row, type TrackedMeta } from "./topic-diff.ts"

/** A change of the visible rows that has not been reported to the listeners yet. */
export type ShardChange = SetDiff<TrackedMeta>

type Fields = Readonly<Record<string, unknown>>

/** The options of a shard. */
export interface ShardOptions {
  readonly ref: string
  readonly node: string
  readonly phxRefs: PhxRefGenerator
  /** Called after each change of the visible rows. */
  readonly onDiff: (diff: Diff) => void
}

/**
 * The presences of one shard's topics, on all nodes, as this node knows them.
 *
 * It translates the operations of the tracker into operations of the set, and the set's diffs into diffs by topic.
 * Changes that come from other nodes are collected by the caller and reported with `notify`, since one message can make
 * several.
 */
export class Shard {
  /**
   * Called after each local operation, before the listeners. `undefined` if the tracker has no bus, or has been closed.
   */
  onLocalChange: (() => void) | undefined
  readonly #node: string
  readonly #phxRefs: PhxRefGenerator
  readonly #onDiff: (diff: Diff) => void
  #set: Orswot<TrackedMeta>

  constructor(options: ShardOptions) {
    this.#node = options.node
    this.#phxRefs = options.phxRefs
    this.#onDiff = options.onDiff
    this.#set = new Orswot(options.ref)
  }

  /** The ref of this node's current incarnation. */
  get ref(): string {
    return this.#set.ref
  }

  /** The number of dots that this incarnation has used. */
  get clock(): number {
    return this.#set.clock
  }

  /** The number of visible rows. */
  get size(): number {
    return this.#set.size
  }

  track(pid: string, topic: string, key: string, fields: Fields): string {
    const holder = clusterPid(pid, this.#node)
    if (this.#set.find(holder, topic, key) !== undefined) {
      throw new RollcallError(
        "already_tracked",
        `expected pid ${quote(pid)} to be tracked once under key ${quote(key)} in topic ${quote(topic)}, got a second track; use update to change its meta`,
      )
    }
    const meta: { [name: string]: unknown; phx_ref: string; phx_ref_prev?: string } = {
      ...fields,
      phx_ref: this.#phxRefs.next(),
    }
    if (meta.phx_ref_prev !== undefined) delete meta.phx_ref_prev
    this.#changed(this.#set.join(holder, topic, key, Object.freeze(meta)))
    return meta.phx_ref
  }

  update(pid: string, topic: string, key: string, change: (current: TrackedMeta) => Fields): string {
    const fields = change(this.#held(pid, topic, key).meta)
    // Looked up once more, because the callback may have updated or removed the presence.
    const { meta } = this.#held(pid, topic, key)
    const refs = { phx_ref: this.#phxRefs.next(), phx_ref_prev: meta.phx_ref }
    const holder = clusterPid(pid, this.#node)
    this.#changed(this.#set.update(holder, topic, key, Object.freeze({ ...fields, ...refs })))
    return refs.phx_ref
  }

  untrack(pid: string, topic?: string, key?: string): void {
    const holder = clusterPid(pid, this.#node)
    if (topic === undefined) return this.#changed(this.#set.leaveAll(holder))
    if (key !== undefined) return this.#changed(this.#set.leave(holder, topic, key))
    const rows = this.#set.getByPid(holder).filter((row) => row.topic === topic)
    this.#changed(...rows.map((row) => this.#set.leave(holder, topic, row.key)))
  }

  list(topic: string): readonly Row[] {
    return this.#set.list(topic)
  }

  getByKey(topic: string, key: string): readonly Row[] {
    return this.#set.getByKey(topic, key)
  }

  countByKey(topic: string, key: string): number {
    return this.#set.countByKey(topic, key)
  }

  rows(): readonly Row[] {
    return this.#set.online()
  }

  seen(): SeenReplica[] {
    const up = this.#set.clocks()
    return Array.from(this.#set.parts(), ([ref, { seen, rows }]) => {
      return { ref, node: nodeOf(ref), status: up.has(ref) ? "up" : "down", seen, rows: rows.map(opened) }
    })
  }

  getByPid(pid: string, topic: string): readonly Row[] {
    return this.#set.getByPid(clusterPid(pid, this.#node)).filter((row) => row.topic === topic)
  }

  /** Returns how much has been seen of each replica that is up. @param own the own clock. Default: the current one */
  clocks(own: number = this.clock): VersionVector {
    return new Map(this.#set.clocks()).set(this.ref, own)
  }

  /** Returns how much has been seen of one replica; `undefined` if it is not up. */
  clockOf(ref: string): number | undefined {
    return this.#set.clockOf(ref)
  }

  /**
   * Returns the own changes since the last call; `undefined` if there are none.
   *
   * The set also collects the removals of other replicas' rows, as Phoenix does. They are left to the owners. Counter-example:
   * node1 updates a row, and its message to node3 is slow, or lost. If node2 passes the removal on, without the new row, node3
   * shows that the row has left, and it ends the calls to an instance that is well.
   */
  takeDelta(): Delta | undefined {
    const delta = this.#set.takeDelta()
    const own = delta?.parts.get(this.ref)
    return own && delta && { ...delta, parts: new Map([[this.ref, own]]) }
  }

  /** Returns everything that is known of the replicas in `clocks`, for replica `ref` to merge. */
  extract(ref: string, clocks: VersionVector): FullState {
    return this.#set.extract(ref, clocks)
  }

  merge(payload: Payload): ShardChange {
    return this.#set.merge(payload)
  }

  /** Applies a status change of another replica. */
  setStatus({ ref, to }: StatusChange): ShardChange {
    if (to === "up") return this.#set.replicaUp(ref)
    return to === "down" ? this.#set.replicaDown(ref) : this.#set.removeReplica(ref)
  }

  /** Notifies the listeners of the changes of one message, or of one timeout check, as one diff. */
  notify(...changes: readonly ShardChange[]): void {
    const visible = changes.filter(isChange)
    if (visible.length === 0) return
    const diff = topicDiffs(visible)
    if (diff.size > 0) this.#onDiff(diff)
  }

  /**
   * Continues as a new replica: with its own rows under new dots, and with everything that is known of `others` (D9).
   *
   * The visible rows do not change. The next delta announces the own rows again, with the same `phx_ref`s.
   */
  restart(ref: string, others: readonly Pick<Replica, "ref" | "status">[]): void {
    const old = this.#set
    const set = new Orswot<TrackedMeta>(ref)
    for (const other of others) set.replicaUp(other.ref)
    set.merge(old.extract(ref, new Map(others.map((other) => [other.ref, 0]))))
    for (const other of others) if (other.status === "down") set.replicaDown(other.ref)
    const own = old.extract(ref, new Map([[old.ref, 0]])).parts.get(old.ref)
    for (const row of own?.rows ?? []) set.join(row.pid, row.topic, row.key, row.meta)
    this.#set = set
  }

  #held(pid: string, topic: string, key: string): Row {
    const row = this.#set.find(clusterPid(pid, this.#node), topic, key)
    if (row !== undefined) return row
    throw new RollcallError(
      "not_tracked",
      `expected pid ${quote(pid)} to be tracked under key ${quote(key)} in topic ${quote(topic)}, got none; call track first`,
    )
  }

  #changed(...changes: readonly ShardChange[]): void {
    if (!changes.some(isChange)) return
    // Called before the listeners, because a listener may close the tracker.
    this.onLocalChange?.()
    this.notify(...changes)
  }
}

function isChange(change: ShardChange): boolean {
  return change !== NO_CHANGE
}
