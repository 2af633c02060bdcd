import { ConfigError, kindOf } from "../error.ts"
import { copyJsonObject } from "../json.ts"
import { checkKnownNames } from "../known-names.ts"
import { Listeners } from "../listeners.ts"
import { monotonicTimers } from "../monotonic-timers.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { systemTimers, type Timers } from "../timers.ts"
import type { TrackerCounter } from "./counter-names.ts"
import type { Diff, Row, TrackedMeta } from "./topic-diff.ts"
import type { NodeStatus } from "./membership.ts"
import { checkWhole, timingOf, type TrackerTiming } from "./timing.ts"
import { TRACKER_OPTIONS } from "./option-names.ts"
import { newRef } from "./replica-ref.ts"
import { phxRefGenerator } from "./phx-ref.ts"
import { hideDelayOf } from "./isolation.ts"
import { Replication } from "./replication.ts"
import type { SeenReplica } from "./seen-replica.ts"
import { Shard } from "./shard.ts"

export type { Diff, Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"
export type { NodeStatus } from "./membership.ts"

/** The options of a tracker. All have defaults. */
export interface TrackerOptions extends Partial<TrackerTiming> {
  /**
   * The bus to the other nodes. The tracker does not close it. Without a bus, this is the only node: the tracker sends no
   * messages and sets no timers.
   */
  readonly pubsub?: PubSub | undefined
  /** Trackers with different names can share a bus without exchanging presences; `"presence"` by default. */
  readonly name?: string
  /** The number of independent sets over which topics are distributed (T35): the same on all nodes. Default 1. */
  readonly poolSize?: number
  /**
   * How long this node may have no connection to the bus until it hides the presences of all other nodes; `Infinity` by
   * default: they are shown as they were. Each node's presences are shown again when a message of that node arrives.
   */
  readonly hideOthersAfterMs?: number | undefined
  /**
   * The clock and the timers; by default the platform's. The clock should be monotonic. Each time that it is set back, the
   * silence of other nodes is noticed up to one period later; all else goes on. If it jumps ahead, that counts as a pause of
   * this node, not as silence of the others.
   */
  readonly timers?: Timers
  /** Returns numbers in [0, 1); `Math.random` by default. Used for references and for the start of the first period. */
  readonly random?: () => number
  /**
   * Called with each error that no call can throw. By default, these errors are ignored. They are the exceptions of
   * listeners, the errors of messages that could not be sent, and a `RollcallError` with one of these codes:
   * - `name_conflict`: two living nodes have the same name.
   * - `pool_size_mismatch`: the other node has another `poolSize`, so neither accepts the other's messages.
   * - `version_mismatch`: the other node sends messages of another version.
   * - `oversize`: a message of the other node is larger than `maxMessageBytes`.
   * - `crowded`: more nodes are up than are accepted.
   *
   * `crowded` is reported once, the other codes once per node.
   */
  readonly onError?: (error: unknown) => void
  /**
   * Called with the name of a counter each time that it must be incremented, such as `tracker_refused_garbage`. By default,
   * nothing is counted.
   */
  readonly count?: (name: TrackerCounter) => void
}

/**
 * The presences of all nodes (T35–T38).
 *
 * Operations take effect on this node at once, and are sent to the others within `deltaWindowMs`. A pid is any string that
 * is unique on its node; rows show it as `pid@node`, with an `@` in the pid written as `%40`. A meta is a copy of the given
 * object by way of JSON, and is the same on every node.
 */
export interface Tracker {
  /**
   * Adds a presence and returns its `phx_ref`.
   * @throws RollcallError `already_tracked` if the pid already holds this key in this topic (T36)
   * @throws ConfigError if the pid, the topic or the key is not a string, or if the meta is not a JSON object
   */
  track(pid: string, topic: string, key: string, meta: object): string
  /**
   * Removes one presence, all presences of the pid in a topic, or all presences of the pid. Does nothing if there are
   * none (T37).
   */
  untrack(pid: string, topic?: string, key?: string): void
  /**
   * Replaces the meta of a presence and returns the new `phx_ref`; the old one becomes `phx_ref_prev` (T37).
   * @throws RollcallError `not_tracked` if the pid does not hold this key in this topic
   * @throws ConfigError as `track`
   */
  update(pid: string, topic: string, key: string, meta: object | ((current: TrackedMeta) => object)): string
  /**
   * Returns the presences in a topic, of all nodes that are up. They are grouped by key, in the order in which this node
   * received them; an update keeps its position.
   */
  list(topic: string): readonly Row[]
  /**
   * Returns the presences under one key of a topic, in the order of `list`. The cost does not depend on the size of the
   * topic.
   */
  getByKey(topic: string, key: string): readonly Row[]
  /**
   * Returns the number of presences under one key of a topic. Optional: if it is missing, the server counts the rows of
   * `getByKey`.
   */
  countByKey?(topic: string, key: string): number
  /**
   * Returns the presences in all topics, of all nodes that are up. Optional: only `presence.online`, `presence.watchKeys` and
   * the server's `lastSeen` need it.
   */
  rows?(): readonly Row[]
  /** Returns the presences that a pid of this node holds in a topic, oldest first. */
  getByPid(pid: string, topic: string): readonly Row[]
  /**
   * Adds a listener, and returns a function that removes it. The listener gets one diff per operation, per message from
   * another node, and per timeout check that finds nodes down.
   *
   * It is called after the change has been made, and never while other listeners are being notified of another diff
   * (D13). It gets no changes from before it was added. A function that is added twice is called twice. With a `poolSize`
   * above 1, there is one diff per shard when a node goes down and when a pid leaves all topics.
   */
  onDiff(listener: (diff: Diff) => void): () => void
  /**
   * The number of presences in all topics, of all nodes that are up. The cost depends on the number of nodes, not of
   * presences.
   */
  readonly size: number
  /**
   * Returns the other known nodes. With several shards, the status of a node is that of its shard that has been silent for
   * the longest time.
   */
  nodes(): readonly NodeStatus[]
  /** Returns what this node has seen of each node, itself first: for diagnosis. Optional: the server does not use it. */
  seen?(): readonly SeenReplica[]
  /**
   * Announces the end of this node, and stops sending. The other nodes drop its presences at once (T33).
   *
   * Until the tracker is closed, it still receives messages and notifies its listeners, for the clients that are still
   * connected.
   */
  goodbye(): void
  /**
   * Stops the tracker. From now on it sends no messages and notifies no listeners. By default it sends a goodbye first, so
   * that the other nodes drop its presences at once (T33). With `goodbye: false` they drop them after the down period, or
   * not at all if the node returns before.
   */
  close(options?: { readonly goodbye?: boolean }): Promise<void>
}

/**
 * Creates a tracker. If it has a bus, it announces itself at once, and receives the presences of the other nodes a moment
 * later.
 *
 * On platforms with `unref`, its timers do not keep the process alive.
 * @throws ConfigError if an option is invalid, or if two options contradict each other
 */
export function createTracker(options: TrackerOptions = {}): Tracker {
  return new ShardedTracker(options)
}

class ShardedTracker implements Tracker {
  readonly #shards: Shard[] = []
  readonly #replications: Replication[] = []
  readonly #listeners = new Listeners<[diff: Diff]>()
  readonly #onError: (error: unknown) => void
  /** The current notification, followed by those for the diffs that listeners have caused meanwhile, in order. */
  readonly #notifications: (() => void)[] = []
  #isClosed = false

  constructor(options: TrackerOptions) {
    checkKnownNames("an option of a tracker", options, TRACKER_OPTIONS)
    const timing = timingOf(options)
    const { pubsub, name = "presence", poolSize = 1, random = Math.random } = options
    const timers = monotonicTimers(options.timers ?? systemTimers)
    checkWhole("poolSize", poolSize, 1)
    const hideOthersAfterMs = hideDelayOf(options)
    this.#onError = guarded(options.onError ?? (() => {}))
    const count = guarded(options.count ?? (() => {}))
    const node = pubsub?.node ?? "local"
    const onDiff = (diff: Diff): void => this.#notify(diff)
    const phxRefs = phxRefGenerator(random)
    for (let index = 0; index < poolSize; index += 1) {
      const shard = new Shard({ ref: newRef(node, random), node, phxRefs, onDiff })
      this.#shards.push(shard)
      if (pubsub === undefined) continue
      const topic = `tracker:${name}:${index}`
      const shared = { shard, topic, shards: poolSize, pubsub, timers, random, count, onError: this.#onError }
      this.#replications.push(new Replication({ ...timing, ...shared, hideOthersAfterMs }))
    }
  }

  track(pid: string, topic: string, key: string, meta: object): string {
    checkNames(pid, topic, key)
    return this.#shardOf(topic).track(pid, topic, key, copyJsonObject("a meta", meta))
  }

  untrack(pid: string, topic?: string, key?: string): void {
    if (topic !== undefined) this.#shardOf(topic).untrack(pid, topic, key)
    else for (const shard of this.#shards) shard.untrack(pid)
  }

  update(pid: string, topic: string, key: string, meta: object | ((current: TrackedMeta) => object)): string {
    const change = typeof meta === "function" ? (meta as (current: TrackedMeta) => object) : () => meta
    checkNames(pid, topic, key)
    return this.#shardOf(topic).update(pid, topic, key, (current) => copyJsonObject("a meta", change(current)))
  }

  list(topic: string): readonly Row[] {
    return this.#shardOf(topic).list(topic)
  }

  getByKey(topic: string, key: string): readonly Row[] {
    return this.#shardOf(topic).getByKey(topic, key)
  }

  countByKey(topic: string, key: string): number {
    return this.#shardOf(topic).countByKey(topic, key)
  }

  rows(): readonly Row[] {
    return this.#shards.flatMap((shard) => shard.rows())
  }

  getByPid(pid: string, topic: string): readonly Row[] {
    return this.#shardOf(topic).getByPid(pid, topic)
  }

  onDiff(listener: (diff: Diff) => void): () => void {
    return this.#listeners.add(listener)
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0)
  }

  nodes(): readonly NodeStatus[] {
    const mostSilent = new Map<string, NodeStatus>()
    for (const status of this.#replications.flatMap((replication) => replication.nodes())) {
      if (status.silentMs >= (mostSilent.get(status.node)?.silentMs ?? 0)) mostSilent.set(status.node, status)
    }
    return [...mostSilent.values()]
  }

  seen(): readonly SeenReplica[] {
    return this.#shards.flatMap((shard) => shard.seen())
  }

  goodbye(): void {
    for (const replication of this.#replications) replication.goodbye()
  }

  async close({ goodbye = true }: { readonly goodbye?: boolean } = {}): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
    if (goodbye) this.goodbye()
    for (const replication of this.#replications) replication.close()
  }

  #shardOf(topic: string): Shard {
    const { length } = this.#shards
    return this.#shards[length === 1 ? 0 : hashOf(topic) % length]!
  }

  #notify(diff: Diff): void {
    if (this.#isClosed || this.#listeners.size === 0) return
    // The listeners are captured now, so that one that is added during a notification gets no earlier changes.
    const notify = this.#listeners.capture()
    this.#notifications.push(() => notify(this.#onError, diff))
    if (this.#notifications.length > 1) return
    for (let next = this.#notifications[0]; next !== undefined; next = this.#notifications[0]) {
      next()
      this.#notifications.shift()
    }
  }
}

/** Returns the FNV-1a hash of a topic's UTF-16 units. It is the same on every node, platform and version (T35). */
function hashOf(topic: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i += 1) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** Checks the names of a row before it is added: other nodes refuse a whole message because of one invalid row. */
function checkNames(pid: unknown, topic: unknown, key: unknown): void {
  if (typeof pid !== "string") throw new ConfigError(`expected pid to be a string, got ${kindOf(pid)}`)
  if (typeof topic !== "string") throw new ConfigError(`expected topic to be a string, got ${kindOf(topic)}`)
  if (typeof key !== "string") throw new ConfigError(`expected key to be a string, got ${kindOf(key)}`)
}

/** Wraps a callback of the user so that its exceptions do not break the tracker. */
function guarded<Argument>(callback: (argument: Argument) => void): (argument: Argument) => void {
  return (argument) => {
    try {
      callback(argument)
    } catch {
      // Errors are reported to this very callback, so its own exceptions cannot be reported anywhere.
    }
  }
}
