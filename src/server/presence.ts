import { ConfigError, RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import type { Diff, Row, TopicDiff, TrackedMeta, Tracker } from "../tracker/tracker.ts"
import { encodeBody } from "../wire/message.ts"
import type { Body } from "../wire/message.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import type { Extension } from "./extension.ts"
import type { Reply } from "./handlers.ts"
import type { ChannelPresence } from "./runtime.ts"
import { foldingDiffs, separateDiffs } from "./pending.ts"
import type { PendingDiffs } from "./pending.ts"

/** A channel as presence needs it. */
export interface PresenceChannel {
  readonly topic: string
  readonly pid: string
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
  /** Data to show beside the metas; without it, presences are what is tracked. */
  readonly extension?: Extension | undefined
  /** To the clients of a topic, but for those that `skip` names. */
  broadcast(topic: string, diff: PresenceDiff, skip: (channel: object) => boolean): void
}

/** What the clients of one topic have not been told yet, and who waits for it. */
interface Window {
  readonly pending: PendingDiffs
  /** Channels whose next push is the topic's state: it holds the pending diff inside it. */
  readonly held: Set<{ release(): void }>
}

/** A diff on its way to the clients. */
interface QueuedDiff {
  readonly change: TopicDiff
  readonly held: Window["held"]
  ready: boolean
}

/** A topic's state, kept until the topic changes, with its encoding once somebody was sent it. */
interface View {
  readonly topic: string
  readonly state: PresenceState
  body?: Body
}

/**
 * Who is in which topic: track, list, and the diffs to the clients (tracker rules 36–39).
 *
 * Metas are JSON objects; `phx_ref` and `phx_ref_prev` are the tracker's, and dropped from what is handed in.
 */
export class Presence implements ChannelPresence {
  readonly #options: PresenceOptions
  readonly #views = new Map<string, View>()
  readonly #snapshots = new WeakMap<object, View>()
  /** The open window of each topic: what has changed in this turn. */
  readonly #windows = new Map<string, Window>()
  /** Closed windows that wait for data to show beside their metas, in the order in which they are to be told. */
  readonly #queues = new Map<string, QueuedDiff[]>()
  readonly #listeners = new Set<(topic: string, diff: PresenceDiff) => void>()

  constructor(options: PresenceOptions) {
    this.#options = options
    options.tracker.onDiff((diff) => this.#changed(diff))
  }

  /**
   * Puts a channel into its topic under `key` (a number becomes its digits) until it ends, and returns the `phx_ref`.
   * @throws RollcallError `already_tracked`; `meta_too_large`; ConfigError when the key is no string or the meta no JSON object
   */
  track(channel: PresenceChannel, key: string | number, meta: object = {}): string {
    return this.#options.tracker.track(channel.pid, channel.topic, keyOf(key), this.#clean(meta))
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

  /** Everyone in a topic: a frozen snapshot, the same object until the topic changes. */
  list(topic: string): PresenceState {
    let view = this.#views.get(topic)
    if (view === undefined) {
      view = { topic, state: this.#group(topic, (this.#options.extension ?? this.#options.tracker).list(topic)) }
      this.#views.set(topic, view)
      this.#snapshots.set(view.state, view)
    }
    return view.state
  }

  /** One user of a topic, or `undefined`. */
  get(topic: string, key: string | number): PresenceEntry | undefined {
    const { extension, tracker } = this.#options
    if (extension !== undefined) return this.list(topic)[keyOf(key)]
    return this.#group(topic, tracker.getByKey(topic, keyOf(key)))[keyOf(key)]
  }

  /**
   * Serves a client's update of its own meta: `presence_update` with `{ meta }`, whose fields are put over the current
   * ones. Meant as one line of `on`: what it returns is the reply, `{ ok: { phx_ref } }` or `{ error: { reason } }`.
   */
  handleUpdate(channel: PresenceChannel, payload: unknown, rules: UpdateRules = {}): Reply {
    const meta = (Object(payload) as { meta?: unknown }).meta
    if (!isRecord(meta)) return { error: { reason: "meta must be an object" } }
    const foreign = rules.allow && Object.keys(meta).find((field) => !rules.allow?.includes(field))
    if (foreign !== undefined) return { error: { reason: "field not allowed", field: foreign } }
    const keys = [...this.#options.tracker.getByPid(channel.pid, channel.topic)].map((row) => row.key)
    const key = rules.key ?? keys[0]
    if (key === undefined) return { error: { reason: "not tracked" } }
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

  holds(channel: { readonly topic: string; release(): void }, payload: unknown): boolean {
    const { topic } = channel
    if (this.#viewOf(payload)?.topic !== topic) return false
    const last = this.#windows.get(topic) ?? this.#queues.get(topic)?.at(-1)
    last?.held.add(channel)
    return last !== undefined
  }

  encode(payload: unknown): Body {
    const known = this.#viewOf(payload)
    if (known === undefined) return encodeBody(payload)
    this.list(known.topic)
    const view = this.#views.get(known.topic) as View
    view.body ??= encodeBody(view.state)
    return view.body
  }

  #viewOf(payload: unknown): View | undefined {
    return typeof payload === "object" && payload !== null ? this.#snapshots.get(payload) : undefined
  }

  #changed(diff: Diff): void {
    for (const [topic, change] of diff) {
      if (this.#options.extension === undefined) this.#views.delete(topic)
      this.#window(topic).pending.add(change)
    }
  }

  #window(topic: string): Window {
    const open = this.#windows.get(topic)
    if (open !== undefined) return open
    const { timers, windowMs } = this.#options
    const pending = windowMs === false ? separateDiffs() : foldingDiffs()
    const window: Window = { pending, held: new Set() }
    this.#windows.set(topic, window)
    const flush = (): void => this.#flush(topic, window)
    // Even a diff of its own comes after the reply to the operation that it tells of, as from Phoenix.
    if (windowMs === false) queueMicrotask(flush)
    else if (windowMs === 0) timers.soon(flush)
    else timers.set(flush, windowMs)
    return window
  }

  #flush(topic: string, { pending, held }: Window): void {
    this.#windows.delete(topic)
    const changes = pending.take()
    const { extension } = this.#options
    if (extension === undefined) {
      for (const change of changes) this.#tell(topic, change, held)
      for (const channel of held) channel.release()
    } else {
      this.#queue(topic, changes, held, extension)
    }
  }

  /** Lets diffs wait for their data, without letting one overtake another. */
  #queue(topic: string, changes: readonly TopicDiff[], held: Window["held"], extension: Extension): void {
    const queue = this.#queues.get(topic) ?? []
    this.#queues.set(topic, queue)
    // A window in which all that came went again has nothing to tell, and may still have somebody who waits.
    for (const change of changes.length > 0 ? changes : [{ joins: [], leaves: [] }]) {
      const fetched = extension.prepare(topic, change)
      const queued: QueuedDiff = { change, held, ready: fetched === undefined }
      queue.push(queued)
      void fetched?.then(() => {
        queued.ready = true
        this.#drain(topic, queue, extension)
      })
    }
    this.#drain(topic, queue, extension)
  }

  #drain(topic: string, queue: QueuedDiff[], extension: Extension): void {
    while (queue[0]?.ready === true) {
      const { change, held } = queue.shift() as QueuedDiff
      this.#views.delete(topic)
      if (change.joins.length + change.leaves.length > 0) this.#tell(topic, change, held, extension)
      if (queue[0]?.held === held) continue
      for (const channel of held) channel.release()
    }
    if (queue.length === 0) this.#queues.delete(topic)
  }

  #tell(topic: string, change: TopicDiff, held: ReadonlySet<object>, extension?: Extension): void {
    const leaves = this.#group(topic, change.leaves)
    extension?.apply(topic, change)
    const diff = { joins: this.#group(topic, change.joins), leaves }
    this.#options.broadcast(topic, diff, (channel) => held.has(channel))
    for (const listener of this.#listeners) listener(topic, diff)
  }

  /** Rows by key, as the wire has them. Without a prototype, since a key may be called `__proto__`. */
  #group(topic: string, rows: Iterable<Row>): PresenceState {
    const metas = new Map<string, TrackedMeta[]>()
    for (const { key, meta } of rows) {
      const known = metas.get(key)
      if (known === undefined) metas.set(key, [meta])
      else known.push(meta)
    }
    const state = Object.create(null) as Record<string, PresenceEntry>
    for (const [key, list] of metas) {
      const fields = this.#options.extension?.fields(topic, key)
      state[key] = Object.freeze({ ...fields, metas: Object.freeze(list) })
    }
    return Object.freeze(state)
  }

  /** A meta of our own: what the caller does with the object afterwards, or what it is not as JSON, does not reach us. */
  #clean(meta: object): object {
    if (!isRecord(meta)) throw new ConfigError("expected a meta that is an object, got something else")
    const json = JSON.stringify(meta)
    const { maxMetaBytes } = this.#options
    if (json.length > maxMetaBytes) {
      throw new RollcallError("meta_too_large", `expected a meta of at most ${maxMetaBytes} bytes, got ${json.length}`)
    }
    const { phx_ref: _ref, phx_ref_prev: _prev, ...fields } = JSON.parse(json) as Record<string, unknown>
    return fields
  }
}

function keyOf(key: unknown): string {
  if (typeof key === "string" || typeof key === "number") return String(key)
  throw new ConfigError(`expected a presence key that is a string or a number, got ${typeof key}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}
