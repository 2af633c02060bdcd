import { ConfigError, kindOf } from "../error.ts"
import { copyJsonObject } from "../json.ts"
import { Listeners } from "../listeners.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { systemTimers, type Timers } from "../timers.ts"
import type { Diff, Row, TrackedMeta } from "./topic-diff.ts"
import type { NodeStatus } from "./membership.ts"
import { timingOf, whole, type TrackerTiming } from "./timing.ts"
import { newRef } from "./replica-ref.ts"
import { references } from "./phx-ref.ts"
import { Replication } from "./replication.ts"
import { Shard } from "./shard.ts"

export type { Diff, Row, TopicDiff, TrackedMeta } from "./topic-diff.ts"
export type { NodeStatus } from "./membership.ts"

/** How a tracker is to behave. All of it has a default. */
export interface TrackerOptions extends Partial<TrackerTiming> {
  /**
   * The bus to the other nodes; the tracker does not close it. Left out: this node is alone, and there is nothing to start,
   * no timer, and nothing to send.
   */
  readonly pubsub?: PubSub | undefined
  /** Keeps apart the trackers that share a bus; `"presence"` by default. */
  readonly name?: string
  /** Into how many independent sets the topics are split (T35); 1 by default. All nodes must agree. */
  readonly poolSize?: number
  readonly timers?: Timers
  /** Numbers in [0, 1): what references are drawn from, and when the first period begins. */
  readonly random?: () => number
  /**
   * Told what a listener threw, what could not be sent, and, as `RollcallError`: `name_conflict` (two living nodes have one
   * name), `pool_size_mismatch` (another node has another `poolSize`: neither hears the other), `version_mismatch` (it
   * speaks another version), `oversize` (it sends what is larger than `maxMessageBytes`), each once for a node, and once
   * `crowded` (more nodes are up than are taken in). Silent by default.
   */
  readonly onError?: (error: unknown) => void
  /** Counts what was refused and why, by name, `tracker_refused_garbage` and the like; nowhere by default. */
  readonly count?: (name: string) => void
}

/**
 * Who is where, on all nodes (T35–T38).
 *
 * Operations take effect at once on this node, and reach the others within `deltaWindowMs`. A pid is any name that its node
 * gives to a process, unique there; rows show it as `pid@node`, with `%40` for an `@` in the pid. A meta is what JSON makes
 * of the object that is handed in: a copy, the same on every node.
 */
export interface Tracker {
  /**
   * Adds a presence and returns its reference.
   * @throws RollcallError `already_tracked` when this pid already holds this key in this topic (T36)
   * @throws ConfigError when the pid, the topic or the key is no string, or the meta no JSON object
   */
  track(pid: string, topic: string, key: string, meta: object): string
  /** Removes a presence, or all of the pid's in a topic, or all of the pid's; what is not there is passed over (T37). */
  untrack(pid: string, topic?: string, key?: string): void
  /**
   * Replaces a meta and returns the new reference; the old one becomes `phx_ref_prev` (T37).
   * @throws RollcallError `not_tracked` when this pid does not hold this key in this topic
   * @throws ConfigError as `track`
   */
  update(pid: string, topic: string, key: string, meta: object | ((current: TrackedMeta) => object)): string
  /** The presences of a topic, of all nodes in sight, in the order in which this one learned of them; an update keeps its place. */
  list(topic: string): readonly Row[]
  /** The presences under one key of a topic, in the same order; the topic's size does not matter. */
  getByKey(topic: string, key: string): readonly Row[]
  /** Counts the presences under one key of a topic. A tracker of your own may lack it: then they are listed and counted. */
  countByKey?(topic: string, key: string): number
  /** The presences that a pid of this node holds in a topic, oldest first. */
  getByPid(pid: string, topic: string): readonly Row[]
  /**
   * Calls back after each change has been made, never from within another (D13): one diff for an operation, one for a
   * message of another node, one for a node that falls silent. With a `poolSize` each shard tells its own: of a node that
   * falls silent, and of a pid that is taken out of all topics. Changes from before the call are not told, and a function
   * that is handed in twice is called twice. Returns its own undo.
   */
  onDiff(listener: (diff: Diff) => void): () => void
  /** How many presences there are in all topics, of all nodes in sight; costs the nodes, not the presences. */
  readonly size: number
  /** The other nodes that this one knows of; a node of several shards as its most silent one is heard. */
  nodes(): readonly NodeStatus[]
  /**
   * Tells the others that this node ends: they drop its presences at once (T33), and hear nothing of it any more. It
   * hears them until it is closed, and what changes here is still called back: for those who have not gone yet.
   */
  goodbye(): void
  /**
   * Ends it: nothing is sent or called back any more. The others are told first, and drop this node's presences at once
   * (T33); with `goodbye: false` they do so after the down period, or never if the node is back before.
   */
  close(options?: { readonly goodbye?: boolean }): Promise<void>
}

/**
 * Makes a tracker. On a bus it says at once that it is here, and knows what the others know a moment later.
 *
 * Its timers keep no process alive, where the platform lets them be told so.
 * @throws ConfigError for options that cannot work
 */
export function createTracker(options: TrackerOptions = {}): Tracker {
  return new ShardedTracker(options)
}

class ShardedTracker implements Tracker {
  readonly #shards: Shard[] = []
  readonly #replications: Replication[] = []
  readonly #listeners = new Listeners<[diff: Diff]>()
  readonly #onError: (error: unknown) => void
  /** Notifies the listeners of the current diff, and then of those that they have caused, in order. */
  readonly #reports: (() => void)[] = []
  #closed = false

  constructor(options: TrackerOptions) {
    const timing = timingOf(options)
    const { pubsub, name = "presence", poolSize = 1, timers = systemTimers, random = Math.random } = options
    whole("poolSize", poolSize, 1)
    this.#onError = guarded(options.onError ?? (() => {}))
    const count = guarded(options.count ?? (() => {}))
    const node = pubsub?.node ?? "local"
    const tell = (diff: Diff): void => this.#report(diff)
    const refs = references(random)
    for (let index = 0; index < poolSize; index += 1) {
      const shard = new Shard({ ref: newRef(node, random), node, references: refs, tell })
      this.#shards.push(shard)
      if (pubsub === undefined) continue
      const topic = `tracker:${name}:${index}`
      const shared = { shard, topic, shards: poolSize, pubsub, timers, random, count, onError: this.#onError }
      this.#replications.push(new Replication({ ...timing, ...shared }))
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

  getByPid(pid: string, topic: string): readonly Row[] {
    return this.#shardOf(topic).getByPid(pid, topic)
  }

  onDiff(listener: (diff: Diff) => void): () => void {
    return this.#listeners.add(listener)
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.set.size, 0)
  }

  nodes(): readonly NodeStatus[] {
    const silent = new Map<string, NodeStatus>()
    for (const each of this.#replications.flatMap((replication) => replication.nodes())) {
      if (each.silentMs >= (silent.get(each.node)?.silentMs ?? 0)) silent.set(each.node, each)
    }
    return [...silent.values()]
  }

  goodbye(): void {
    for (const replication of this.#replications) replication.goodbye()
  }

  async close({ goodbye = true }: { readonly goodbye?: boolean } = {}): Promise<void> {
    this.#closed = true
    this.#listeners.clear()
    if (goodbye) this.goodbye()
    for (const replication of this.#replications) replication.close()
  }

  #shardOf(topic: string): Shard {
    const { length } = this.#shards
    return this.#shards[length === 1 ? 0 : hashOf(topic) % length]!
  }

  #report(diff: Diff): void {
    if (this.#closed || this.#listeners.size === 0) return
    // A listener that is added while others are being notified does not get the changes from before.
    const notify = this.#listeners.capture()
    this.#reports.push(() => notify(this.#onError, diff))
    if (this.#reports.length > 1) return
    for (let next = this.#reports[0]; next !== undefined; next = this.#reports[0]) {
      next()
      this.#reports.shift()
    }
  }
}

/** FNV-1a over a topic's UTF-16 units: the same on every node, whatever its platform and version (T35). */
function hashOf(topic: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i += 1) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** The others refuse a whole message for a row that is not as it should be, and with it all that its node has to say. */
function checkNames(pid: unknown, topic: unknown, key: unknown): void {
  if (typeof pid !== "string") throw new ConfigError(`expected a pid that is a string, got ${kindOf(pid)}`)
  if (typeof topic !== "string") throw new ConfigError(`expected a topic that is a string, got ${kindOf(topic)}`)
  if (typeof key !== "string") throw new ConfigError(`expected a key that is a string, got ${kindOf(key)}`)
}

/** A hook of the user's that cannot break the tracker. */
function guarded<Argument>(hook: (argument: Argument) => void): (argument: Argument) => void {
  return (argument) => {
    try {
      hook(argument)
    } catch {
      // A hook that throws has nobody left to be reported to.
    }
  }
}
