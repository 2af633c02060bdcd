import { ConfigError, RollcallError, kindOf } from "../../error.ts"
import type { Timers } from "../../timers.ts"
import type { Diff, Row, TopicDiff, TrackedMeta, Tracker } from "../../tracker/tracker.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../../wire/presence.ts"
import { FIELD_NOT_ALLOWED, META_NOT_OBJECT, NOT_TRACKED } from "../../wire/refusals.ts"
import type { FetchedFields, Found } from "./fetched.ts"
import type { Reply } from "../channel/reply.ts"
import type { ChannelPresence } from "../channel/runtime.ts"
import type { Payload } from "../../wire/payload.ts"
import { TopicView } from "./topic-view.ts"
import { DiffBatcher } from "./diff-batches.ts"

/** A channel as presence needs it. */
export interface PresenceChannel {
  readonly topic: string
  readonly pid: string
  /** Whether it is over, and can hold no presence any more. */
  readonly ended?: boolean
}

/** What `handleUpdate` lets a client change. */
export interface UpdateRules {
  /** The fields that a client may set; others are refused. Left out: any field. */
  readonly allow?: readonly string[]
  /** The key to update, when the channel tracks more than one. */
  readonly key?: string
}

/** How presence reaches its server. */
export interface PresenceOptions {
  readonly tracker: Tracker
  readonly timers: Timers
  /** How long the changes of a topic are gathered into one diff, in ms; 0 is one turn of the event loop; `false`: each is its own. */
  readonly windowMs: number | false
  readonly maxMetaBytes: number
  readonly maxMetasPerKey: number
  /** Data to show beside the metas; without it, presences are what is tracked. */
  readonly extension?: FetchedFields | undefined
  /** Takes down how many metas a diff has. */
  told(size: number): void
  /** A listener of `onDiff` threw. */
  failed(topic: string, error: unknown): void
  /** To the clients of a topic, but for those that `skip` names. */
  broadcast(topic: string, diff: PresenceDiff, skip: (channel: object) => boolean): void
}

const utf8 = new TextEncoder()

/**
 * Who is in which topic: track, list, and the diffs to the clients (T36–T39).
 *
 * Metas are JSON objects; `phx_ref` and `phx_ref_prev` are the tracker's, and dropped from what is handed in.
 */
export class Presence implements ChannelPresence {
  readonly #options: PresenceOptions
  readonly #views = new Map<string, TopicView>()
  /** Each snapshot that was handed out, and the topic it is of. */
  readonly #snapshots = new WeakMap<object, string>()
  readonly #windows: DiffBatcher
  readonly #listeners = new Set<(topic: string, diff: PresenceDiff) => void>()

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#windows = new DiffBatcher({ ...options, tell: (...told) => this.#tell(...told) })
    options.tracker.onDiff((diff) => this.#changed(diff))
  }

  /**
   * Puts a channel into its topic under `key` (a number becomes its digits) until it ends, and returns the `phx_ref`.
   * @throws RollcallError `already_tracked`; `meta_too_large`; `too_many_metas`; `channel_ended`; ConfigError when the key is no string or the meta no JSON object
   */
  track(channel: PresenceChannel, key: string | number, meta: object = {}): string {
    // A handler that looks something up first may find its client gone: nobody would ever take that presence away.
    if (channel.ended === true) {
      throw new RollcallError(
        "channel_ended",
        `expected a channel of ${channel.topic} that is joined, got one that ended`,
      )
    }
    const { tracker, maxMetasPerKey } = this.#options
    const { length } = tracker.getByKey(channel.topic, keyOf(key))
    if (length >= maxMetasPerKey) {
      throw new RollcallError("too_many_metas", `expected at most ${maxMetasPerKey} metas under one key, got one more`)
    }
    return tracker.track(channel.pid, channel.topic, keyOf(key), this.#clean(meta))
  }

  /** Takes a channel out again, under one key or altogether; what is not there is passed over. */
  untrack(channel: { readonly pid: string; readonly topic?: string }, key?: string | number): void {
    const { tracker } = this.#options
    if (key === undefined) tracker.untrack(channel.pid)
    else tracker.untrack(channel.pid, channel.topic, keyOf(key))
  }

  /**
   * Replaces a meta, or changes it by a function of the current one, and returns the new `phx_ref`.
   * @throws RollcallError `not_tracked`; `meta_too_large`; ConfigError as `track`
   */
  update(channel: PresenceChannel, key: string | number, meta: object | ((current: TrackedMeta) => object)): string {
    const change = typeof meta === "function" ? (current: TrackedMeta) => this.#clean(meta(current)) : this.#clean(meta)
    return this.#options.tracker.update(channel.pid, channel.topic, keyOf(key), change)
  }

  /** Everyone in a topic: a frozen snapshot, the same object until the topic changes, as long as somebody is there. */
  list(topic: string): PresenceState {
    const { state } = this.#view(topic)
    this.#snapshots.set(state, topic)
    return state
  }

  /** One user of a topic, or `undefined`. */
  get(topic: string, key: string | number): PresenceEntry | undefined {
    return this.#find(topic, keyOf(key))
  }

  /**
   * Serves a client's update of its own meta: `presence_update` with `{ meta }`, whose fields are put over the current
   * ones. Meant as one line of `on`: what it returns is the reply, `{ ok: { phx_ref } }` or `{ error: { reason } }`.
   */
  handleUpdate(channel: PresenceChannel, payload: unknown, rules: UpdateRules = {}): Reply {
    const meta = (Object(payload) as { meta?: unknown }).meta
    if (!isRecord(meta)) return { error: { reason: META_NOT_OBJECT } }
    const foreign = rules.allow && Object.keys(meta).find((field) => !rules.allow?.includes(field))
    if (foreign !== undefined) return { error: { reason: FIELD_NOT_ALLOWED, field: foreign } }
    const keys = [...this.#options.tracker.getByPid(channel.pid, channel.topic)].map((row) => row.key)
    const key = rules.key ?? keys[0]
    if (key === undefined) return { error: { reason: NOT_TRACKED } }
    try {
      return { ok: { phx_ref: this.update(channel, key, (current) => ({ ...current, ...meta })) } }
    } catch (error) {
      if (error instanceof RollcallError) return { error: { reason: error.code } }
      throw error
    }
  }

  /** Calls back with what the clients of a topic are told, as they are told it. Returns its own undo. */
  onDiff(listener: (topic: string, diff: PresenceDiff) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  isState(topic: string, payload: unknown): boolean {
    return typeof payload === "object" && payload !== null && this.#snapshots.get(payload) === topic
  }

  hold(channel: { readonly topic: string; release(): void }): boolean {
    return this.#windows.hold(channel.topic, channel)
  }

  state(topic: string): Payload {
    return this.#view(topic).payload
  }

  settle(topic: string): void {
    this.#windows.settle(topic)
  }

  /** Tells of all changes that are still being gathered, now: a server that closes does, which waits for no window. */
  flush(): void {
    this.#windows.flush()
  }

  /** Where the rows are that are shown. */
  get #source(): FetchedFields | Tracker {
    return this.#options.extension ?? this.#options.tracker
  }

  #view(topic: string): TopicView {
    const known = this.#views.get(topic)
    if (known !== undefined) return known
    const keys = Array.from(this.#source.list(topic), (row) => row.key)
    const view = new TopicView(keys, (key) => this.#find(topic, key))
    // A view goes when its topic empties. One that nobody ever enters never does, and there is no end of names.
    if (!view.empty) this.#views.set(topic, view)
    return view
  }

  #find(topic: string, key: string): PresenceEntry | undefined {
    const rows = this.#source.getByKey(topic, key)
    return rows.length === 0 ? undefined : this.#entry(topic, key, rows)
  }

  #entry(topic: string, key: string, rows: readonly Row[]): PresenceEntry {
    const metas = Object.freeze(byChannel(rows).map((row) => row.meta))
    return Object.freeze({ ...this.#options.extension?.fields(topic, key), metas })
  }

  #refresh(topic: string, { joins, leaves }: TopicDiff): void {
    const view = this.#views.get(topic)
    view?.changed(new Set([...joins, ...leaves].map((row) => row.key)))
    if (view?.empty === true) this.#views.delete(topic)
  }

  #changed(diff: Diff): void {
    for (const [topic, change] of diff) {
      // What waits for its data is shown when it is told.
      if (this.#options.extension === undefined) this.#refresh(topic, change)
      this.#windows.add(topic, change)
    }
  }

  #tell(topic: string, change: TopicDiff, skipped: ReadonlySet<object>, found: Found | undefined): void {
    const { extension } = this.#options
    const leaves = this.#group(topic, change.leaves)
    if (extension !== undefined) {
      extension.apply(topic, change, found)
      this.#refresh(topic, change)
    }
    const diff = { joins: this.#group(topic, change.joins), leaves }
    this.#options.told(change.joins.length + change.leaves.length)
    this.#options.broadcast(topic, diff, (channel) => skipped.has(channel))
    for (const listener of this.#listeners) {
      // What one of them throws is not to keep the clients who are held for this diff from their state.
      try {
        listener(topic, diff)
      } catch (error) {
        this.#options.failed(topic, error)
      }
    }
  }

  /** Rows by key, as the wire has them. Without a prototype, since a key may be called `__proto__`. */
  #group(topic: string, rows: Iterable<Row>): PresenceState {
    const groups = new Map<string, Row[]>()
    for (const row of rows) {
      const known = groups.get(row.key)
      if (known === undefined) groups.set(row.key, [row])
      else known.push(row)
    }
    const state = Object.create(null) as Record<string, PresenceEntry>
    for (const [key, group] of groups) state[key] = this.#entry(topic, key, group)
    return Object.freeze(state)
  }

  /** A meta of our own: what the caller does with the object afterwards, or what it is not as JSON, does not reach us. */
  #clean(meta: object): object {
    const json = isRecord(meta) ? JSON.stringify(meta) : undefined
    const value: unknown = json?.startsWith("{") === true ? JSON.parse(json) : undefined
    if (json === undefined || !isRecord(value)) {
      throw new ConfigError(
        `expected a meta that is a JSON object, got ${isRecord(meta) ? "one that JSON writes otherwise" : kindOf(meta)}`,
      )
    }
    const { maxMetaBytes } = this.#options
    const size = json.length * 3 <= maxMetaBytes ? json.length : utf8.encode(json).length
    if (size > maxMetaBytes) {
      throw new RollcallError("meta_too_large", `expected a meta of at most ${maxMetaBytes} bytes, got ${size}`)
    }
    const { phx_ref: _ref, phx_ref_prev: _prev, ...fields } = value
    return fields
  }
}

/**
 * One user's devices in the order of their channels, which is that of their joins: one that is tracked anew keeps its
 * channel's place (recorded case 02). Channels of different nodes cannot be compared: nodes stand as they came.
 */
function byChannel(rows: readonly Row[]): readonly Row[] {
  const [first] = rows
  if (first === undefined || rows.length === 1) return rows
  const here = nodeOf(first)
  // A user's hundreds of devices are looked through for each that comes: to group them by node is for when there are several.
  if (rows.every((row) => nodeOf(row) === here)) return [...rows].sort(byAge)
  const nodes = new Map<string, Row[]>()
  for (const row of rows) {
    const node = nodeOf(row)
    const known = nodes.get(node)
    if (known === undefined) nodes.set(node, [row])
    else known.push(row)
  }
  return [...nodes.values()].flatMap((node) => node.sort(byAge))
}

const nodeOf = ({ pid }: Row): string => pid.slice(pid.indexOf("@"))

/** Channels are numbered as they come: of two numbers, the shorter is the smaller. */
const byAge = (one: Row, other: Row): number => one.pid.length - other.pid.length || (one.pid < other.pid ? -1 : 1)

function keyOf(key: unknown): string {
  if (typeof key === "string" || typeof key === "number") return String(key)
  throw new ConfigError(`expected a presence key that is a string or a number, got ${kindOf(key)}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}
