import type { Diff as SetDiff } from "../crdt/set-diff.ts"
import { NO_CHANGE } from "../crdt/set-diff.ts"
import { Orswot } from "../crdt/orswot.ts"
import { RollcallError } from "../error.ts"
import { topicDiffs, type Diff, type Row, type TrackedMeta } from "./topic-diff.ts"
import type { References } from "./phx-ref.ts"
import { clusterPid } from "./replica-ref.ts"

/** What a shard is made of. */
export interface ShardOptions {
  readonly ref: string
  readonly node: string
  readonly references: References
  /** Told of each change of what is shown, after it has been made. */
  readonly tell: (diff: Diff) => void
}

/**
 * The presences of the topics that fall to one shard, on all nodes, as this node knows them; alone, a whole tracker.
 *
 * It turns what the tracker is asked for into operations of the set, and what they change into diffs by topic.
 */
export class Shard {
  /** Told of each operation of this node's own; there is nobody to tell while the tracker is alone. */
  onLocalChange: (() => void) | undefined
  readonly #node: string
  readonly #references: References
  readonly #tell: (diff: Diff) => void
  #set: Orswot

  constructor(options: ShardOptions) {
    this.#node = options.node
    this.#references = options.references
    this.#tell = options.tell
    this.#set = new Orswot(options.ref)
  }

  get set(): Orswot {
    return this.#set
  }

  track(pid: string, topic: string, key: string, meta: object): string {
    const holder = clusterPid(pid, this.#node)
    if (this.#set.find(holder, topic, key) !== undefined) {
      throw new RollcallError("already_tracked", `expected a key that ${pid} does not hold in ${topic}, got "${key}"`)
    }
    const tracked: { phx_ref: string; phx_ref_prev?: string } = { ...meta, phx_ref: this.#references.next() }
    if (tracked.phx_ref_prev !== undefined) delete tracked.phx_ref_prev
    this.#changed(this.#set.join(holder, topic, key, Object.freeze(tracked)))
    return tracked.phx_ref
  }

  update(pid: string, topic: string, key: string, change: (current: TrackedMeta) => object): string {
    const fields = change(this.#held(pid, topic, key).meta)
    // Looked up once more: what was asked may have updated it in the meantime, or taken it out.
    const { meta } = this.#held(pid, topic, key)
    const refs = { phx_ref: this.#references.next(), phx_ref_prev: meta.phx_ref }
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
    return this.#set.list(topic) as readonly object[] as readonly Row[]
  }

  getByKey(topic: string, key: string): readonly Row[] {
    return this.#set.getByKey(topic, key) as readonly object[] as readonly Row[]
  }

  countByKey(topic: string, key: string): number {
    return this.#set.countByKey(topic, key)
  }

  getByPid(pid: string, topic: string): readonly Row[] {
    const rows = this.#set.getByPid(clusterPid(pid, this.#node)).filter((row) => row.topic === topic)
    return rows as readonly object[] as readonly Row[]
  }

  /** Tells of what one message, or one moment, has changed, as one diff. */
  tell(...diffs: readonly SetDiff[]): void {
    const changes = diffs.filter(isChange)
    if (changes.length === 0) return
    const diff = topicDiffs(changes)
    if (diff.size > 0) this.#tell(diff)
  }

  /**
   * Goes on as a new replica, with its own rows under new dots and all that is known of the others (D9).
   *
   * What is shown stays as it is. The next delta announces the rows anew, under their former `phx_ref`s.
   */
  restart(ref: string, others: readonly string[], outOfSight: readonly string[]): void {
    const old = this.#set
    const set = new Orswot(ref)
    for (const other of others) set.replicaUp(other)
    set.merge(old.extract(ref, new Map(others.map((other) => [other, 0]))))
    for (const other of outOfSight) set.replicaDown(other)
    const own = old.extract(ref, new Map([[old.ref, 0]])).parts.get(old.ref)
    for (const row of own?.rows ?? []) set.join(row.pid, row.topic, row.key, row.meta)
    this.#set = set
  }

  #held(pid: string, topic: string, key: string): Row {
    const row = this.#set.find(clusterPid(pid, this.#node), topic, key)
    if (row !== undefined) return row as object as Row
    throw new RollcallError("not_tracked", `expected a key that ${pid} holds in ${topic}, got "${key}"`)
  }

  #changed(...diffs: readonly SetDiff[]): void {
    if (!diffs.some(isChange)) return
    // First, for a listener may end the tracker.
    this.onLocalChange?.()
    this.tell(...diffs)
  }
}

function isChange(diff: SetDiff): boolean {
  return diff !== NO_CHANGE
}
