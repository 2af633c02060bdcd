/** A joined topic: its users, our own meta, its messages, and whether the view is up to date. */
import { RollcallError } from "../error.ts"
import type { Clock } from "../timers.ts"
import { PRESENCE_UPDATE } from "../wire/events.ts"
import { PRESENCE_SELF } from "../wire/introduction.ts"
import { TEMPORARY_REFUSALS } from "../wire/refusals.ts"
import { JoinRejected, PARAMS_FAILED } from "./errors.ts"
import { guard, type Undo } from "../listeners.ts"
import { Errors } from "./callback-errors.ts"
import { assertFits } from "./frame-size.ts"
import { OwnMeta } from "./own-meta.ts"
import { Pushes, toSendable } from "./pushes.ts"
import { connectionReason, type Reason } from "./reason.ts"
import type { RoomChannel } from "./room-channel.ts"
import type { RoomOptions } from "./room-options.ts"
import { Self } from "./self.ts"
import { Store, type Change, type Entry, type Snapshot, type Status } from "./store.ts"
import { Sync } from "./sync.ts"

/** The refusals after which the join is tried again, because the server may accept it a moment later. */
const RETRIED: readonly unknown[] = TEMPORARY_REFUSALS

/**
 * A topic that stays joined until it is left. Its methods work unbound: `const { subscribe, getSnapshot } = room`.
 *
 * While the connection is down, the last view stays readable. It is marked `stale` until the next state arrives.
 */
export class Room<F extends object = Record<string, unknown>> {
  readonly topic: string
  /**
   * Resolves with the server's response to the first join. Later joins of the same room do not change it.
   *
   * Rejects with `JoinRejected` if the server refuses the join, and with code `closed` if the room is left before. You need
   * not handle the rejection.
   */
  readonly joined: Promise<unknown>

  readonly #channel: RoomChannel
  readonly #errors = new Errors()
  readonly #store: Store<F>
  readonly #sync: Sync<F>
  readonly #ownMeta: OwnMeta
  readonly #release: () => number
  readonly #pushes: Pushes
  readonly #updateEvent: string
  readonly #timers: Clock
  #readyTimeoutMs: number
  #readyTimer: unknown
  #settleJoined: { resolve: (response: unknown) => void; reject: (error: RollcallError) => void } | undefined
  #reason: Reason | undefined
  readonly #self: Self<F>

  /**
   * Joins at once. Use `connection.room` to create rooms.
   *
   * @param release called at each `leave`; returns how many hold the room then: none closes it, less than none leaves its topic
   * @param timers time the updates
   * @param former a room of the same topic that is left: this one goes on from its view
   */
  constructor(channel: RoomChannel, options: RoomOptions, release: () => number, timers: Clock, former?: Room<F>) {
    const { key, updateEvent = PRESENCE_UPDATE, updateThrottleMs = 100, readyTimeoutMs = 10_000 } = options
    this.topic = channel.topic
    this.#channel = channel
    this.#pushes = new Pushes(channel)
    this.#release = release
    this.#self = (former && former.#self) ?? new Self(key)
    this.#reason = former && former.#reason
    this.#updateEvent = updateEvent
    this.#timers = timers
    this.#readyTimeoutMs = readyTimeoutMs
    this.#store = new Store<F>(this.#errors.failed, former && former.#store)
    const applied = (): void => {
      this.#store.notify()
      channel.ensureClean()
    }
    const listener = { applied, failed: this.#errors.report }
    this.#sync = new Sync(channel, this.#store, options, listener, () => timers.now(), former && former.#sync)
    this.#ownMeta = new OwnMeta(
      {
        isFree: (retry) => channel.flow.isFree(retry, retry),
        send: (message, settle) => this.#pushes.send(this.#updateEvent, message, undefined, settle, true),
        accepted: (response) =>
          this.#learnSelf(() => this.#self.setRef((response as { phx_ref?: unknown } | null)?.phx_ref)),
        failed: this.#errors.report,
      },
      updateThrottleMs,
      timers,
      former && former.#ownMeta,
    )
    channel.on(PRESENCE_SELF, (payload) => this.#learnSelf(() => this.#self.setKey(payload)))
    this.joined = new Promise((resolve, reject) => (this.#settleJoined = { resolve, reject }))
    // A refusal is also in `status`. If the caller does not use `joined`, its rejection must not end the process.
    this.joined.catch(() => {})
    channel.join({
      broken: (detail) => this.#onChannelError(detail),
      doubted: (reason) => this.#setStatus(reason ? "stale" : "live", reason),
      closed: (detail) => this.#onChannelClose(detail),
      ok: (response) => this.#onJoined(response),
      error: (response) => this.#onRefused(response),
      timeout: () => this.#setStatus(this.status, { code: "timeout" }),
    })
  }

  get status(): Status {
    return this.#store.status
  }

  /** Why the room is not live. `undefined` while it is live, and as long as the first join has not failed. */
  get reason(): Reason | undefined {
    return this.status === "live" ? undefined : this.#reason
  }

  /** The number of users that are present. */
  get size(): number {
    return this.#store.size
  }

  /**
   * Our own user: the user under the option `key`. Without that option, it is the user under the key that the server has named
   * (Rollcall's server does), or else the user that has the ref of the server's last reply to an `update`. `undefined` while
   * none of them is known, and while that user is not present.
   */
  get self(): Entry<F> | undefined {
    return this.#self.find(this.getSnapshot())
  }

  /** Returns the current view. It is immutable, and the same object until something changes. */
  readonly getSnapshot = (): Snapshot<F> => this.#store.getSnapshot()

  /** Calls `listener` after each change of the snapshot, including a change of its status. */
  readonly subscribe = (listener: () => void): Undo => this.#store.subscribe(listener)

  /**
   * Calls `listener` with the users that joined, changed or left: once for each frame that changed something. An update
   * is one change.
   */
  readonly onChange = (listener: (changes: readonly Change<F>[]) => void): Undo => this.#store.onChange(listener)

  /**
   * Calls `listener` with errors that no caller can catch: `bad_frame`, `pending_overflow`, `callback_failed`,
   * `update_rejected`, `timeout` and `payload_too_large` (of an update), `join_rejected` (of a rejoin), `params_failed` and
   * `no_state`. Without a listener, they are reported as uncaught errors; the last two are logged to the console.
   */
  readonly onError = (listener: (error: RollcallError) => void): Undo => this.#errors.add(listener)

  /** Returns all users in order of first arrival: their entries, or what `chooser` returns for each. */
  readonly list: RoomList<F> = <T>(chooser?: (key: string, user: Entry<F>) => T) => {
    const { users } = this.getSnapshot()
    return chooser ? users.map((user) => chooser(user.key, user)) : users
  }

  /** Returns the user under this key, or `undefined`. */
  readonly get = (key: string): Entry<F> | undefined => this.#store.entry(key)

  /**
   * Merges `patch` into our own meta, and pushes it to the server, which sends it to the other users.
   *
   * Pushes are throttled; the last value of each field is sent. After a rejoin, all fields are sent again, also those that the
   * server has not answered in time (`timeout`). What it refused, what crashed the channel, and what was in flight when the
   * connection closed twice in a row is reported to `onError` (`update_rejected`) and not sent again.
   *
   * @throws RollcallError `closed` if the room is closed; `bad_payload` if JSON cannot write `patch`; `payload_too_large` if all
   * our fields together would exceed the limit of a message (`maxMessageBytes`)
   */
  readonly update = (patch: Partial<F>): void => {
    if (this.status === "closed") throw this.#closedError("update")
    toSendable("update", patch)
    assertFits(this.#channel.flow.maxBytes, this.topic, this.#updateEvent, { meta: this.#ownMeta.mergedWith(patch) })
    this.#ownMeta.update(patch)
  }

  /**
   * Pushes a message, and resolves with the response of an ok reply. The payload is JSON or binary. A message that is pushed
   * before the room is joined waits for the join.
   *
   * Rejects with a RollcallError: `push_rejected` (its `reason` is the response, or why the channel crashed), `timeout`
   * `timeout` milliseconds after it was sent (default: the connection's), `bad_payload`, `payload_too_large`, `too_many_pushes`
   * if a thousand wait for a join, or `closed`. You need not handle the rejection, because servers do not reply to every message.
   *
   * At most a hundred messages of a connection wait for their replies at a time; one without a reply counts for half a second.
   * The others are sent later, in order.
   */
  readonly push = <Response = unknown>(event: string, payload: object = {}, timeout?: number): Promise<Response> => {
    const reply = new Promise<Response>((resolve, reject) => {
      if (this.status === "closed") throw this.#closedError(event)
      this.#pushes.send(event, payload, timeout, (outcome) => {
        if ("error" in outcome) reject(outcome.error)
        else resolve(outcome.response as Response)
      })
    })
    reply.catch(() => {})
    return reply
  }

  /** Calls `callback` with the payload of each message of this event that the server sends to this topic. */
  readonly on = <Payload = unknown>(event: string, callback: (payload: Payload) => void): Undo => {
    const ref = this.#channel.on(event, (payload) => guard(this.#errors.failed, () => callback(payload as Payload)))
    return () => this.#channel.off(event, ref)
  }

  /**
   * Closes the room at once, and leaves its topic 50 ms later unless it is asked for again by then. If `connection.room` was
   * called several times for it, the last of as many `leave` calls does. Further calls do nothing.
   */
  readonly leave = (): void => {
    if (this.status === "closed") return
    const holders = this.#release()
    if (holders <= 0) this.#close({ code: "left" })
    if (holders < 0) this.#channel.leave()
  }

  #onJoined(response: unknown): void {
    if (this.status === "closed") return
    this.#settleJoined?.resolve(response)
    this.#settleJoined = undefined
    this.#pushes.flush()
    this.#ownMeta.join()
    this.#timers.clear(this.#readyTimer)
    if (this.#readyTimeoutMs) this.#readyTimer = this.#timers.set(() => this.#expectState(), this.#readyTimeoutMs)
  }

  #expectState(): void {
    if (this.#channel.state !== "joined" || !this.#sync.isPending) return
    const ms = this.#readyTimeoutMs
    this.#readyTimeoutMs = 0
    const message = `${this.topic}: expected a state within ${ms} ms, got none. Does the server track presence on this topic?`
    this.#errors.log(new RollcallError("no_state", message))
  }

  #onRefused(response: unknown): void {
    if (response instanceof RollcallError && response.code === PARAMS_FAILED) {
      this.#errors.log(response)
      return this.#setStatus(this.status, { code: PARAMS_FAILED, detail: response })
    }
    const { reason } = (response ?? {}) as { reason?: unknown }
    if (RETRIED.includes(reason)) return this.#setStatus(this.status, { code: "unavailable", detail: response })
    const error = response instanceof RollcallError ? response : new JoinRejected(this.topic, response)
    // `joined` rejects if the first join is refused. A refused rejoin has no promise, and goes to `onError`.
    if (this.#settleJoined) this.#settleJoined.reject(error)
    else this.#errors.report(error)
    this.#settleJoined = undefined
    this.#leave({ code: "rejected", detail: response })
  }

  #onChannelError(detail: unknown): void {
    if (this.status === "closed") return
    const { source, reason } = (detail ?? {}) as { source?: unknown; reason?: unknown }
    const isDisconnect = source === "transport"
    this.#ownMeta.interrupt(!isDisconnect)
    if (!isDisconnect) this.#pushes.crash(reason)
    const status = this.status === "live" ? "stale" : this.status
    this.#setStatus(status, connectionReason(detail) ?? { code: "crashed", detail: reason })
  }

  #onChannelClose(detail: unknown): void {
    const isJoining = this.#settleJoined !== undefined
    this.#close(connectionReason(detail) ?? { code: "kicked", detail })
    // Otherwise phoenix.js would join again after the timeout of the join that got no reply.
    if (isJoining) this.#channel.leave()
  }

  // A refused topic is left, too. Otherwise phoenix.js would go on trying to join it.
  #leave(reason: Reason): void {
    this.#close(reason)
    this.#channel.leave()
  }

  #close(reason: Reason): void {
    if (this.status === "closed") return
    this.#sync.stop()
    this.#ownMeta.stop()
    this.#timers.clear(this.#readyTimer)
    this.#setStatus("closed", reason)
    this.#pushes.close()
    this.#settleJoined?.reject(this.#closedError("join"))
    this.#settleJoined = undefined
  }

  #setStatus(status: Status, reason: Reason | undefined): void {
    if (this.status === "closed") return
    this.#reason = reason
    this.#store.setStatus(status)
    this.#store.touch()
    this.#store.notify()
  }

  #learnSelf(learn: () => void): void {
    const before = this.self
    learn()
    if (this.self === before) return
    this.#store.touch()
    this.#store.notify()
  }

  #closedError(what: string): RollcallError {
    return new RollcallError("closed", `${what} on ${this.topic}: the room is closed`, { reason: this.#reason })
  }
}

/** Returns all users, or what a chooser returns for each. */
export type RoomList<F extends object> = {
  (): readonly Entry<F>[]
  <T>(chooser: (key: string, user: Entry<F>) => T): readonly T[]
}
