import { ConfigError, RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import type { Diff, Row, TopicDiff, TrackedMeta, Tracker } from "../tracker/tracker.ts"
import { encodeBody } from "../wire/message.ts"
import type { Body } from "../wire/message.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
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
  /** To the clients of a topic, but for those that `skip` names. */
  broadcast(topic: string, diff: PresenceDiff, skip: (channel: object) => boolean): void
}

/** What the clients of one topic have not been told yet, and who waits for it. */
interface Window {
  readonly pending: PendingDiffs
  /** Channels whose next push is the topic's state: it holds the pending diff inside it. */
  readonly held: Set<{ release(): void }>
}

const utf8 = new TextEncoder()

const NOBODY: ReadonlySet<object> = new Set()

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
  readonly #windows = new Map<string, Window>()
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
      view = { topic, state: group(this.#options.tracker.list(topic)) }
      this.#views.set(topic, view)
      this.#snapshots.set(view.state, view)
    }
    return view.state
  }

  /** One user of a topic, or `undefined`. */
  get(topic: string, key: string | number): PresenceEntry | undefined {
    return group(this.#options.tracker.getByKey(topic, keyOf(key)))[keyOf(key)]
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
    const view = this.#viewOf(payload)
    const window = view && this.#windows.get(view.topic)
    if (window === undefined || view?.topic !== channel.topic) return false
    window.held.add(channel)
    return true
  }

  settle(topic: string): void {
    const window = this.#options.windowMs === false ? this.#windows.get(topic) : undefined
    if (window !== undefined) this.#flush(topic, window)
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
      this.#views.delete(topic)
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

  #flush(topic: string, window: Window): void {
    // It may have been settled ahead of its time, and another opened since.
    if (this.#windows.get(topic) !== window) return
    this.#windows.delete(topic)
    // A folded diff leaves out what came and went inside it, so whoever is sent the state must not be sent the diff.
    const skipped = this.#options.windowMs === false ? NOBODY : window.held
    for (const change of window.pending.take()) this.#tell(topic, change, skipped)
    for (const channel of window.held) channel.release()
  }

  #tell(topic: string, change: TopicDiff, skipped: ReadonlySet<object>): void {
    const diff = { joins: group(change.joins), leaves: group(change.leaves) }
    this.#options.broadcast(topic, diff, (channel) => skipped.has(channel))
    for (const listener of this.#listeners) listener(topic, diff)
  }

  /** A meta of our own: what the caller does with the object afterwards, or what it is not as JSON, does not reach us. */
  #clean(meta: object): object {
    const json = isRecord(meta) ? JSON.stringify(meta) : undefined
    const value: unknown = json?.startsWith("{") === true ? JSON.parse(json) : undefined
    if (json === undefined || !isRecord(value)) {
      throw new ConfigError("expected a meta that is a JSON object, got something else")
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

function keyOf(key: unknown): string {
  if (typeof key === "string" || typeof key === "number") return String(key)
  throw new ConfigError(`expected a presence key that is a string or a number, got ${typeof key}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

/** Rows by key, as the wire has them. Without a prototype, since a key may be called `__proto__`. */
function group(rows: Iterable<Row>): PresenceState {
  const metas = new Map<string, TrackedMeta[]>()
  for (const { key, meta } of rows) {
    const known = metas.get(key)
    if (known === undefined) metas.set(key, [meta])
    else known.push(meta)
  }
  const state = Object.create(null) as Record<string, PresenceEntry>
  for (const [key, list] of metas) state[key] = Object.freeze({ metas: Object.freeze(list) })
  return Object.freeze(state)
}
