import { RollcallError } from "../../error.ts"
import { Listeners } from "../../listeners.ts"
import { quote } from "../../quote.ts"
import type { MetaOf } from "../../room-definition.ts"
import type { Diff, TopicDiff, TrackedMeta } from "../../tracker/tracker.ts"
import { PRESENCE_STATE } from "../../wire/events.ts"
import type { Payload } from "../../wire/payload.ts"
import type { PresenceDiff, PresenceEntry, PresenceState } from "../../wire/presence-payloads.ts"
import type { Reply } from "../channel/reply.ts"
import type { ChannelPresence, CountReceiver, DiffReceiver, StateReceiver } from "../channel/server-context.ts"
import { Counts } from "./counts.ts"
import { DiffBatcher } from "./diff-batcher.ts"
import type { Found } from "./fetched.ts"
import { OwnPresences } from "../channel/own-presences.ts"
import { ClientUpdates } from "./client-updates.ts"
import type { UpdateRules } from "./client-updates.ts"
import { checkKey } from "./key-limits.ts"
import { KeyPresence } from "./key-presence.ts"
import { ownRowsOf } from "./own-row.ts"
import { KeptPresences } from "./kept-presences.ts"
import { isChannel } from "./presence-options.ts"
import type { PresenceChannel, PresenceOptions, PushStateOptions } from "./presence-options.ts"
import { checkedTopic, ProcessPresences } from "./process-presences.ts"
import type { ProcessPresence, ProcessPresenceOptions } from "./process-presences.ts"
import { atLeast, growingWindow } from "../presence-window.ts"
import { keyOf, metaOf } from "../track-input.ts"
import { TopicViews } from "./topic-views.ts"
import { filteredState, stateOf } from "./user.ts"

/**
 * The presences of all topics: tracks them, lists them, and sends diffs to the clients (T36–T39).
 *
 * Metas are JSON objects. `phx_ref` and `phx_ref_prev` are set by the tracker, and removed from metas that come in.
 */
export class Presence extends KeyPresence implements ChannelPresence {
  readonly #options: PresenceOptions
  readonly #views: TopicViews
  /** Each state that `list` returned → its topic. */
  readonly #states = new WeakMap<object, string>()
  readonly #batches: DiffBatcher
  /** The channels that are notified of their own presence. */
  readonly own: OwnPresences = new OwnPresences((channel, key) => this.isTracked(channel, key))
  readonly #clientUpdates: ClientUpdates
  readonly #counts: Counts
  readonly #listeners = new Listeners<[topic: string, diff: PresenceDiff]>()
  readonly #processes: ProcessPresences
  /** The presences of lost connections. */
  readonly kept: KeptPresences

  constructor(options: PresenceOptions) {
    super(options)
    this.#options = options
    this.#views = new TopicViews({ ...options, observer: (topic) => this.#batches.observer(topic) })
    this.#processes = new ProcessPresences({ ...options, presence: this })
    this.kept = new KeptPresences({ ...options, untrack: (...args) => this.untrack(...args) })
    this.#batches = new DiffBatcher({
      ...options,
      sizeOf: (topic) => this.#views.sizeOf(topic),
      hasReceivers: (topic) => this.#listeners.size > 0 || options.hasClients?.(topic) !== false,
      send: (...args) => this.#send(...args),
    })
    this.#counts = new Counts({
      ...options,
      windowOf: atLeast(options.windowMs, growingWindow()),
      sizeOf: (topic) => this.#views.of(topic).size,
      countBy: (topic, field) => this.#views.of(topic).countBy(field),
    })
    this.#clientUpdates = new ClientUpdates({ ...options, update: (...args) => this.update(...args) })
    options.tracker.onDiff((diff) => this.#apply(diff))
  }

  /**
   * Adds a channel to its topic under `key` until the channel ends, and returns the `phx_ref`. A numeric key becomes its digits.
   * @throws RollcallError `already_tracked`; `key_too_long`; `too_many_keys`; `meta_too_large`; `too_many_metas`; `channel_ended`; ConfigError when the key
   * is neither a string nor a finite number, or the meta is no JSON object
   */
  track(channel: PresenceChannel, key: string | number, meta?: object): string
  /**
   * Adds a presence without a connection, for an agent, a bot or a job. It ends with `end`, with this server, and, with
   * `ttlMs`, when it is not renewed in time.
   * @throws RollcallError `closed`; otherwise like the other form
   */
  track(options: ProcessPresenceOptions): ProcessPresence
  track(
    channel: PresenceChannel | ProcessPresenceOptions,
    key?: string | number,
    meta: object = {},
  ): string | ProcessPresence {
    if (!isChannel(channel)) return this.#processes.track(channel)
    const { tracker, maxMetaBytes } = this.#options
    const { topic, pid } = channel
    // The channel may have ended while its handler awaited something. Nothing would ever remove the presence of such a channel.
    if (channel.ended === true) {
      const expected = `expected a channel that is joined to ${quote(topic)}`
      throw new RollcallError("channel_ended", `${expected}, got one that has ended`)
    }
    const name = keyOf(key)
    checkKey(tracker, { pid, topic, key: name }, this.#options, this.kept.count(topic, name))
    const ref = tracker.track(pid, topic, name, metaOf(meta, maxMetaBytes))
    this.own.changed(pid, topic, name, ref)
    return ref
  }

  /** Returns whether a channel has a presence under a key in its topic. */
  isTracked({ pid, topic }: PresenceChannel, key: string | number): boolean {
    const name = keyOf(key)
    return this.#options.tracker.getByPid(pid, topic).some((row) => row.key === name)
  }

  /** Removes a channel's presence under one key, or all of its presences. If there is none, does nothing. */
  untrack({ pid, topic, ended }: Pick<PresenceChannel, "pid"> & Partial<PresenceChannel>, key?: string | number): void {
    const { tracker } = this.#options
    const name = key === undefined ? undefined : keyOf(key)
    tracker.untrack(pid, name === undefined ? undefined : topic, name)
    // With its last presence, nothing is left of a channel that has ended: neither what is held, nor the rate of its updates.
    const isOver = topic === undefined || (ended === true && tracker.getByPid(pid, topic).length === 0)
    this.#clientUpdates.drop({ pid }, isOver ? undefined : name)
  }

  /**
   * Replaces a meta by another one, or by what a function returns for the current one. Returns the new `phx_ref`.
   * @throws RollcallError `not_tracked`; `meta_too_large`; ConfigError like `track`
   */
  update(channel: PresenceChannel, key: string | number, meta: object | ((current: TrackedMeta) => object)): string {
    const { tracker, maxMetaBytes } = this.#options
    const name = keyOf(key)
    const change =
      typeof meta === "function"
        ? (current: TrackedMeta) => metaOf(meta(this.#clientUpdates.ahead(channel, name, current)), maxMetaBytes)
        : metaOf(meta, maxMetaBytes)
    const { pid, topic } = channel
    const ref = tracker.update(pid, topic, name, change)
    // What is held is older than this update.
    this.#clientUpdates.drop(channel, name)
    this.own.changed(pid, topic, name, ref)
    return ref
  }

  /**
   * Replaces the metas of all presences of this node in a topic. The function gets each key and meta, and returns the new
   * meta, or `undefined` to keep it. Returns how many were replaced. If it throws, none is. One that it ends is left out.
   * @throws like `update`, and `config` for a topic that clients cannot join, such as those of services
   */
  updateAll(topic: string, change: (key: string, meta: TrackedMeta) => object | undefined): number {
    const { tracker, maxMetaBytes } = this.#options
    const updates = ownRowsOf(tracker, checkedTopic(topic)).flatMap(({ pid, row }) => {
      const channel = { pid, topic }
      const meta = change(row.key, this.#clientUpdates.ahead(channel, row.key, row.meta))
      return meta === undefined ? [] : [{ channel, key: row.key, meta: metaOf(meta, maxMetaBytes) }]
    })
    const present = updates.filter(({ channel, key }) => this.isTracked(channel, key))
    for (const { channel, key, meta } of present) this.update(channel, key, meta)
    return present.length
  }

  /**
   * Returns all users of a topic as a frozen snapshot. While the topic does not change, it is the same object, unless it is
   * empty.
   *
   * The snapshot shows the topic at the time of the call, even if it is read later, and costs nothing until it is read. It is a
   * Proxy: `Object.keys`, `in`, spread and `JSON.stringify` work as usual; `structuredClone` and `postMessage` throw, so clone
   * `{ ...list }`. Copy a large list before you go through it more than once, because reading the keys of a Proxy is slow.
   *
   * `channel.push("presence_state", list)` sends the topic's state at the time of sending, after the diff that is being
   * collected. A message with a part or a copy of the list is sent at once, and the diff that is sent next brings it up to date.
   * So send such a message before the present window ends (`presenceWindowMs`): a diff that was sent before the message cannot
   * bring it up to date.
   */
  list<Name extends string>(topic: Name): PresenceState<MetaOf<Name>> {
    const { state } = this.#views.of(topic).snapshot
    this.#states.set(state, topic)
    return state as PresenceState<MetaOf<Name>>
  }

  /** Returns one user of a topic, or `undefined`. */
  get<Name extends string>(topic: Name, key: string | number): PresenceEntry<MetaOf<Name>> | undefined {
    return this.#get(topic, keyOf(key)) as PresenceEntry<MetaOf<Name>> | undefined
  }

  #get(topic: string, name: string): PresenceEntry | undefined {
    this.observe(topic)
    return this.#views.user(topic, name)
  }

  /**
   * Pushes `presence_state` with the users of a channel's topic to its client.
   *
   * Without a filter, the state is sent after the diff that is being collected, and encoded once for all clients. With a
   * filter, it is sent at once. The filter applies to this state only: later diffs reach the client with all users. To filter
   * them, too, give the channel a handler that pushes a filtered copy of each diff:
   * `out: { presence_diff: (diff, channel) => channel.push("presence_diff", onlyVisible(diff)) }`.
   * @throws RollcallError `not_joined` before the join has been answered
   */
  pushState(
    channel: PresenceChannel & { push(event: string, payload: unknown): void },
    { filter }: PushStateOptions = {},
  ): void {
    const state = (): object => filteredState(this.#views.of(channel.topic).snapshot.read(), filter!)
    channel.push(PRESENCE_STATE, filter === undefined ? this.list(channel.topic) : state())
  }

  /**
   * Handles a client's update of its own meta: `presence_update` with `{ meta }`. The given fields replace those of the current
   * meta; other fields stay. Fields that are listed in `remove`, and `null` in `meta`, are removed. Returns the reply,
   * `{ ok: { phx_ref } }` or `{ error: { reason } }`, so that one line of `on` can call it.
   *
   * Beyond `maxUpdatesPerSecond` of one channel, updates are merged and applied up to a second later, the latest value of each
   * field. Their replies come at once, with the `phx_ref` before the update.
   * @param rules which updates to accept; by default, the `allow` of the channel's handlers and the schema of its room
   */
  handleUpdate(channel: PresenceChannel, payload: unknown, rules: UpdateRules = {}): Reply {
    return this.#clientUpdates.handle(channel, payload, rules)
  }

  /**
   * Calls a listener with each diff when it is sent to the clients. Returns a function that removes the listener. A
   * listener that is added twice is called twice.
   */
  onDiff(listener: (topic: string, diff: PresenceDiff) => void): () => void {
    return this.#listeners.add(listener)
  }

  // Called by channels and by the server only.

  /** Replaces a meta by one that its client has sent, at most `maxUpdatesPerSecond` times. @throws like `update` */
  replace(channel: PresenceChannel, key: string, meta: object): void {
    this.#clientUpdates.replace(channel, key, meta)
  }

  keyOf({ pid, topic }: PresenceChannel): string | undefined {
    return this.#options.tracker.getByPid(pid, topic)[0]?.key
  }

  isState(topic: string, payload: unknown): boolean {
    return typeof payload === "object" && payload !== null && this.#states.get(payload) === topic
  }

  hold(channel: StateReceiver & { readonly topic: string }): boolean {
    return this.#batches.hold(channel.topic, channel)
  }

  observe(topic: string): void {
    this.#batches.observer(topic)?.()
  }

  state(topic: string): Payload {
    return this.#views.of(topic).snapshot.payload
  }

  addCounting(channel: CountReceiver, field: string): Payload {
    return this.#counts.add(channel, field)
  }

  removeCounting(channel: CountReceiver): void {
    this.#counts.remove(channel)
  }

  settle(topic: string): void {
    this.#batches.settle(topic)
  }

  /** Ends the presences without a connection, and sends all diffs that are being collected, without waiting for windows. */
  close(): void {
    this.kept.close()
    this.#processes.close()
    this.#batches.flush()
    this.#counts.flush()
    this.stopWatching()
  }

  /** Handles a diff of the tracker. With `fetch`, a change is not shown until its diff is sent. */
  #apply(diff: Diff): void {
    for (const [topic, change] of diff) {
      if (this.#options.fetchedFields === undefined) this.#show(topic, change)
      this.#batches.add(topic, change)
    }
  }

  #show(topic: string, change: TopicDiff): void {
    const isEmpty = this.#views.apply(topic, change)
    this.#counts.changed(topic)
    const { windowMs } = this.#options
    if (isEmpty && typeof windowMs === "function") windowMs(topic, 0)
  }

  #send(topic: string, change: TopicDiff, skips: (channel: DiffReceiver) => boolean, found: Found | undefined): void {
    const { fetchedFields, observeSize, broadcast, failed } = this.#options
    // Must run before `apply`, which deletes the fields of users that leave: the diff contains them.
    const fieldsOf = (key: string): object | undefined => fetchedFields?.fields(topic, key)
    const leaves = stateOf(change.leaves, fieldsOf)
    if (fetchedFields !== undefined) {
      fetchedFields.apply(topic, change, found)
      this.#show(topic, change)
    }
    const diff = { joins: stateOf(change.joins, fieldsOf), leaves }
    observeSize(change.joins.length + change.leaves.length)
    broadcast(topic, diff, skips)
    this.#listeners.emit((error) => failed(topic, error), topic, diff)
  }
}
