/** One joined topic: who is here, one's own meta, and whether the view can be trusted. */
import { ConfigError, RollcallError } from "../error.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { PRESENCE_UPDATE } from "../wire/events.ts"
import type { Meta } from "../wire/presence.ts"
import { TEMPORARY_REFUSALS } from "../wire/refusals.ts"
import { JoinRejected } from "./errors.ts"
import { guard, type Undo } from "../listeners.ts"
import { Errors } from "./callback-errors.ts"
import { OwnMeta } from "./own-meta.ts"
import type { Channel } from "./phoenix.ts"
import { Pushes, sendable } from "./pushes.ts"
import { Store, type Change, type Entry, type Snapshot, type Status } from "./store.ts"
import { Sync, type PresenceOptions } from "./sync.ts"

/** Options of `connection.room(topic, params, options)`. */
export type RoomOptions = PresenceOptions & {
  /** The presence key that the server tracks us under, if it is known beforehand: `self` is the user of this key. */
  key?: string | undefined
  /** The event that `update` pushes. Default `"presence_update"`. */
  updateEvent?: string | undefined
  /** Milliseconds between two pushes of `update`, at least. Default 100. */
  updateThrottleMs?: number | undefined
  /** Milliseconds that the join waits for its reply before it is tried again. The connection's `timeout` by default. */
  timeout?: number | undefined
}

/**
 * Why a room is not live. `detail` is what the other side said, as it came.
 *
 * - `disconnected`: the connection broke; it is being mended.
 * - `crashed`: the channel broke on the server; it is being joined again.
 * - `timeout`: the join got no answer; it is tried again.
 * - `unavailable`: the server could not take the join just now; it is tried again.
 * - `left`: we left. `kicked`: the server closed the channel. `rejected`: the server refused the join. These are final.
 */
export type Reason = {
  readonly code: "disconnected" | "crashed" | "timeout" | "unavailable" | "left" | "kicked" | "rejected"
  readonly detail?: unknown
}

/** A join answered so failed on the server's side, or came when there were too many: whoever asks again may well get in. */
const RETRIED: readonly unknown[] = TEMPORARY_REFUSALS

/** @throws ConfigError */
export function checkOptions({ updateThrottleMs = 100 }: RoomOptions): void {
  if (!(updateThrottleMs >= 0 && updateThrottleMs < 2 ** 31)) {
    throw new ConfigError(`updateThrottleMs: expected milliseconds from 0, got ${updateThrottleMs}`)
  }
}

/**
 * A topic, joined until it is left. All its methods may be used unbound: `const { subscribe, getSnapshot } = room`.
 *
 * A view, once there, outlives the connection: it stays, marked `stale`, until the next state brings it up to date.
 */
export class Room<F extends object = Record<string, unknown>> {
  readonly topic: string
  /**
   * Resolves with the server's response to the first join; later joins of the same room do not matter to it.
   *
   * Rejects with `JoinRejected` if the server refuses, with code `closed` if the room is left before. May be ignored.
   */
  readonly joined: Promise<unknown>

  readonly #channel: Channel
  readonly #errors = new Errors()
  readonly #store: Store<F>
  readonly #sync: Sync<F>
  readonly #ownMeta: OwnMeta
  readonly #release: () => boolean
  readonly #pushes: Pushes
  readonly #updateEvent: string
  #settleJoined: { resolve: (response: unknown) => void; reject: (error: RollcallError) => void } | undefined
  #reason: Reason | undefined
  readonly #keyGiven: boolean
  #key: string | undefined
  // The reference that the server answered our last update with, until the user who holds it is found.
  #ref: string | undefined
  #searched: Snapshot<F> | undefined

  /**
   * Joins at once; rooms are made by `connection.room`. `release` is asked at each `leave` whether nobody else holds the
   * room; `timers` times the updates.
   */
  constructor(channel: Channel, options: RoomOptions, release: () => boolean, timers: Timers = systemTimers) {
    const { key, updateEvent = PRESENCE_UPDATE, updateThrottleMs = 100, timeout } = options
    this.topic = channel.topic
    this.#channel = channel
    this.#pushes = new Pushes(channel)
    this.#release = release
    this.#key = key
    this.#keyGiven = key !== undefined
    this.#updateEvent = updateEvent
    this.#store = new Store<F>(this.#errors.failed)
    const told = { applied: () => this.#store.notify(), failed: this.#errors.report }
    this.#sync = new Sync(channel, this.#store, options, told, () => timers.now())
    this.#ownMeta = new OwnMeta(
      {
        send: (patch, settle) => this.#pushes.send(this.#updateEvent, { meta: patch }, undefined, settle),
        accepted: (response) => this.#isSelf((response as { phx_ref?: unknown } | null)?.phx_ref),
        failed: this.#errors.report,
      },
      updateThrottleMs,
      timers,
    )
    this.joined = new Promise((resolve, reject) => (this.#settleJoined = { resolve, reject }))
    // A caller who does not care about `joined` sees a refusal in `status`; it must not end the process.
    this.joined.catch(() => {})
    channel.onError((detail) => this.#broke(detail))
    channel.onClose((detail) => this.#kicked(detail))
    channel
      .join(timeout)
      .receive("ok", (response) => this.#entered(response))
      .receive("error", (response) => this.#refused(response))
      .receive("timeout", () => this.#setStatus(this.status, { code: "timeout" }))
  }

  get status(): Status {
    return this.#store.status
  }

  /** Why the room is not live; `undefined` while it is, and while the first join is simply on its way. */
  get reason(): Reason | undefined {
    return this.status === "live" ? undefined : this.#reason
  }

  /** How many users are here. */
  get size(): number {
    return this.#store.size
  }

  /**
   * Our own user: the one under the option `key`, else the one that holds the reference the server last answered an
   * `update` with. `undefined` as long as neither is known, or present.
   */
  get self(): Entry<F> | undefined {
    const snapshot = this.getSnapshot()
    if (this.#ref !== undefined && snapshot !== this.#searched) {
      this.#searched = snapshot
      // The server may have changed it once more since it answered.
      const isOurs = (meta: Meta<F>): boolean => meta.phx_ref === this.#ref || meta.phx_ref_prev === this.#ref
      const found = snapshot.users.find(({ metas }) => metas.some(isOurs))
      if (found) {
        this.#key = found.key
        this.#ref = undefined
      }
    }
    return this.#key === undefined ? undefined : snapshot.get(this.#key)
  }

  /** The view as it is now: immutable, and the same object until something changed. */
  readonly getSnapshot = (): Snapshot<F> => this.#store.getSnapshot()

  /** Calls `listener` after each change of the snapshot, its status included. */
  readonly subscribe = (listener: () => void): Undo => this.#store.subscribe(listener)

  /** Calls `listener` with who joined, changed or left: once for each frame that did something, an update being one change. */
  readonly onChange = (listener: (changes: readonly Change<F>[]) => void): Undo => this.#store.onChange(listener)

  /**
   * Calls `listener` for what has no caller to throw at: `bad_frame`, `pending_overflow`, `callback_failed`,
   * `update_rejected`, `timeout` (of an update) and `join_rejected` (of a rejoin).
   */
  readonly onError = (listener: (error: RollcallError) => void): Undo => this.#errors.add(listener)

  /** All users in order of first arrival: their entries, or what `chooser` picks. */
  readonly list: RoomList<F> = <T>(chooser?: (key: string, user: Entry<F>) => T) => {
    const { users } = this.getSnapshot()
    return chooser ? users.map((user) => chooser(user.key, user)) : users
  }

  /** The user under this key. */
  readonly get = (key: string): Entry<F> | undefined => this.#store.entry(key)

  /**
   * Merges `patch` into one's own meta, for the server to tell the others. Throttled, the last values kept; sent again
   * after a rejoin. One that the server refuses or does not answer is not tried again, and reaches `onError`.
   *
   * @throws RollcallError `closed` after the room has closed; `bad_payload` for what is not JSON.
   */
  readonly update = (patch: Partial<F>): void => {
    if (this.status === "closed") throw this.#closedError("update")
    sendable("update", patch)
    this.#ownMeta.update(patch)
  }

  /**
   * Pushes a message, JSON or bytes, and resolves with the response to an ok reply. Before the join is through it waits for it.
   *
   * Rejects with a RollcallError: `push_rejected` (`reason` is the response), `timeout` after `timeout` milliseconds (the
   * connection's by default), `bad_payload`, `too_many_pushes` when a thousand wait for a join, or `closed`. May be ignored:
   * many a message is never replied to.
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

  /** Calls `callback` with the payload of each such message that the server sends to this topic. */
  readonly on = <Payload = unknown>(event: string, callback: (payload: Payload) => void): Undo => {
    const ref = this.#channel.on<Payload>(event, (payload) => guard(this.#errors.failed, () => callback(payload)))
    return () => this.#channel.off(event, ref)
  }

  /** Leaves the topic; if `connection.room` was called for it more than once, at the last `leave`. */
  readonly leave = (): void => {
    if (this.status !== "closed" && this.#release()) this.#leave({ code: "left" })
  }

  #entered(response: unknown): void {
    if (this.status === "closed") return
    this.#settleJoined?.resolve(response)
    this.#settleJoined = undefined
    this.#ownMeta.joined()
  }

  #refused(response: unknown): void {
    const { reason } = (response ?? {}) as { reason?: unknown }
    if (RETRIED.includes(reason)) return this.#setStatus(this.status, { code: "unavailable", detail: response })
    const error = new JoinRejected(this.topic, response)
    // Who waits for `joined` hears of it there; a refused rejoin has no one waiting.
    if (this.#settleJoined) this.#settleJoined.reject(error)
    else this.#errors.report(error)
    this.#settleJoined = undefined
    this.#leave({ code: "rejected", detail: response })
  }

  #broke(detail: unknown): void {
    if (this.status === "closed") return
    const { source, reason } = (detail ?? {}) as { source?: unknown; reason?: unknown }
    const ours = source === "transport"
    if (ours) this.#ownMeta.interrupted()
    else this.#ownMeta.crashed(reason)
    const status = this.status === "live" ? "stale" : this.status
    this.#setStatus(status, { code: ours ? "disconnected" : "crashed", detail: reason })
  }

  #kicked(detail: unknown): void {
    const isJoining = this.#settleJoined !== undefined
    this.#close({ code: "kicked", detail })
    // A join on its way has a timer, by which phoenix.js would join again.
    if (isJoining) this.#channel.leave()
  }

  // Leaving is also what keeps phoenix.js from joining a refused topic again and again.
  #leave(reason: Reason): void {
    this.#close(reason)
    this.#channel.leave()
  }

  #close(reason: Reason): void {
    if (this.status === "closed") return
    this.#sync.stop()
    this.#ownMeta.stop()
    this.#setStatus("closed", reason)
    this.#pushes.close()
    this.#settleJoined?.reject(this.#closedError("join"))
    this.#settleJoined = undefined
  }

  #setStatus(status: Status, reason: Reason): void {
    if (this.status === "closed") return
    this.#reason = reason
    this.#store.setStatus(status)
    this.#store.touch()
    this.#store.notify()
  }

  #isSelf(ref: unknown): void {
    if (this.#keyGiven || typeof ref !== "string") return
    const before = this.self
    this.#ref = ref
    this.#searched = undefined
    if (this.self === before) return
    this.#store.touch()
    this.#store.notify()
  }

  #closedError(what: string): RollcallError {
    return new RollcallError("closed", `${what} on ${this.topic}: the room is closed`, { reason: this.#reason })
  }
}

/** All users, or what a chooser picks of each. */
export type RoomList<F extends object> = {
  (): readonly Entry<F>[]
  <T>(chooser: (key: string, user: Entry<F>) => T): readonly T[]
}
