/** The contract of a room. `joined-room.ts` makes one. */
import type { Undo } from "../listeners.ts"
import type { RollcallError } from "../error.ts"
import type { EventInputsOf, EventsOf } from "../room-definition.ts"
import type { Patch, UpdateOptions } from "./own-meta.ts"
import type { Reason } from "./reason.ts"
import type { RoomList } from "./room-options.ts"
import type { ChangeListener, Entry, Snapshot, Status } from "./store.ts"
import type { View } from "./view.ts"

/** The payload of a push: of its type for an event that the definition names, and any other for another event. */
type PushPayload<Name, Event> = Event extends keyof EventInputsOf<Name> ? EventInputsOf<Name>[Event] & object : object

/** The outcome of something that was sent. Its rejection need not be handled. */
export interface Outcome extends Promise<void> {}

/** A message of an event that the definition names. With `relay()`, `from` is the presence key of the sender. */
export type Received<Name, Event extends keyof EventsOf<Name>> = EventsOf<Name>[Event] & { readonly from?: string }

/** How `broadcast` sends a message. */
export interface BroadcastOptions {
  /** Whether the message is throttled, and dropped rather than delayed. Default false. */
  readonly volatile?: boolean | undefined
}

/** A defined event needs its payload. */
type Broadcast<Name, Event> = Event extends keyof EventInputsOf<Name>
  ? [payload: PushPayload<Name, Event>, options?: BroadcastOptions]
  : [payload?: object, options?: BroadcastOptions]

/** Methods, so that a room of a definition is a room of the same metas, too. */
interface Messages<Name> {
  push<Response = unknown, Event extends string = string>(
    event: Event,
    payload?: PushPayload<Name, Event>,
    timeout?: number,
  ): Promise<Response>
  broadcast<Event extends string>(event: Event, ...message: Broadcast<Name, Event>): Promise<void>
}

/**
 * A topic that stays joined until it is left. Its methods work unbound: `const { subscribe, getSnapshot } = room`.
 *
 * While the connection is down, the last view stays readable. It is marked `stale` until the next state arrives.
 */
export interface Room<F extends object = Record<string, unknown>, Name = string> {
  readonly topic: string
  /**
   * Resolves with the server's response to the first join. Later joins of the same room do not change it.
   *
   * Rejects with `JoinRejected` if the server refuses the join, and with code `closed` if the room is left before. You need
   * not handle the rejection.
   */
  readonly joined: Promise<unknown>
  /**
   * Resolves with the first view: from then on, `size` and the users are those of the topic.
   *
   * Rejects with `no_state` if there is none `readyTimeoutMs` after the join, or after the room was asked for; with
   * `JoinRejected` if the server refuses the join; and with `closed` if the room is closed before. You need not handle the
   * rejection. If a view arrives after all, `ready` is a new promise, which resolves with it.
   */
  readonly ready: Promise<Snapshot<F>>
  readonly status: Status
  /** Why the room is not live. `undefined` while it is live, and as long as the first join has not failed. */
  readonly reason: Reason | undefined
  /**
   * Whether the room has been without a connection for `lostConnectionMs`, unless it is paused or closed. Its users stay in the
   * view. Listeners of `subscribe` are called when it becomes true, and when the next state makes it false.
   */
  readonly isLost: boolean
  /** The number of users that are present. */
  readonly size: number
  /** The number of metas and messages that the option `definition` has refused. */
  readonly invalidCount: number
  /**
   * Our own user: the user under the option `key`. Without that option, it is the user under the key that the server has named
   * (Rollcall's server does), or else the user that has the ref of the server's last reply to an `update`. `undefined` while
   * none of them is known, and while that user is not present.
   */
  readonly self: Entry<F> | undefined
  /** Returns the current view. It is immutable, and the same object until something changes. */
  readonly getSnapshot: () => Snapshot<F>
  /**
   * Calls `listener` after each change of the snapshot, including a change of its status. `isSilent` is true if only references
   * changed (`phx_ref`, `phx_ref_prev`).
   */
  readonly subscribe: (listener: (isSilent: boolean) => void) => Undo
  /**
   * Calls `listener` with the users that joined, changed or left, and with the cause: once for the first state (`initial`), even
   * if it is empty, and once for each later frame that changed something. `resync` is the state after a reconnect, and all others
   * are `diff`. A room that begins with the view of a former one has no `initial`.
   *
   * An update is one change. One that changes only `phx_ref` and `phx_ref_prev` is not reported, unless `options.silent` is true.
   * Listeners with `silent` are called before the others.
   */
  readonly onChange: (listener: ChangeListener<F>, options?: { readonly silent?: boolean }) => Undo
  /**
   * Calls `listener` with errors that no caller can catch: `bad_frame`, `pending_overflow`, `callback_failed`,
   * `invalid_meta`, `invalid_payload`, `update_rejected`, `timeout` and `payload_too_large` (of an update), `join_rejected` (of a rejoin), `params_failed` and
   * `no_state`. Without a listener, they are reported as uncaught errors; `params_failed`,
   * `no_state`, `invalid_meta` and `invalid_payload` are only logged to the console.
   */
  readonly onError: (listener: (error: RollcallError) => void) => Undo
  /** Returns all users in order of first arrival: their entries, or what `chooser` returns for each. */
  readonly list: RoomList<F>
  /** Returns the user under this key, also one that left and is kept (`leftAt`), or `undefined`. */
  readonly get: (key: string) => Entry<F> | undefined
  /** Returns all users but our own. The array is the same object until the snapshot or `self` changes. */
  readonly others: () => readonly Entry<F>[]
  /**
   * Returns the view of one user, or of `undefined` while it is not present. Its listeners are called only when this user
   * changed, at a cost that does not depend on how many users and how many such views there are.
   */
  readonly user: (key: string) => View<Entry<F> | undefined>
  /**
   * Returns the view of what `selector` returns for a snapshot. Its listeners are called only when that changed: when `isEqual`
   * (default: `Object.is`) is false for the last value and the new one. Until then, `getSnapshot` returns the last value.
   */
  readonly select: <T>(selector: (snapshot: Snapshot<F>) => T, isEqual?: (a: T, b: T) => boolean) => View<T>
  /**
   * Merges `patch` into our own meta, and pushes it to the server, which sends it to the other users. A function gets our own
   * fields, and returns those to change. A field that is `undefined` is removed.
   *
   * Resolves when the server has acknowledged what carries the patch; at once if the server has these values already, which are
   * not sent again. Rejects with the error that `onError` gets, or with code `closed`.
   *
   * Pushes are throttled; the last value of each field is sent. After a rejoin, all fields are sent again, also those that the
   * server has not answered in time (`timeout`). What it refused, what crashed the channel, and what was in flight when the
   * connection closed twice in a row is reported to `onError` (`update_rejected`) and not sent again.
   *
   * @throws RollcallError `closed` if the room is closed; `bad_payload` if `patch` is no object that JSON can write; `payload_too_large`
   * if all our fields together would exceed the limit of a message (`maxMessageBytes`); ConfigError for a `forMs` that is no delay
   */
  readonly update: (patch: Patch<F>, options?: UpdateOptions) => Outcome
  /**
   * Pushes a message, and resolves with the response of an ok reply. The payload is JSON or binary. A message that is pushed
   * before the room is joined waits for the join.
   *
   * Rejects with a RollcallError: `push_rejected` (its `reason` is the response, or why the channel crashed), `timeout`
   * `timeout` milliseconds after it was sent (default: the connection's), `bad_payload`, `payload_too_large`, `too_many_pushes`
   * if a thousand wait for a join, or `closed`; or with a ConfigError for a timeout that is no delay. You need not handle the rejection, because servers do not reply to every message.
   *
   * At most a hundred messages of a connection wait for their replies at a time; one without a reply counts for half a second.
   * The others are sent later, in order.
   */
  readonly push: Messages<Name>["push"]
  /**
   * Sends a message to the others in the room. The server relays it: Rollcall's with `on: { cursor: relay() }`.
   *
   * By default it is a push: the promise resolves when the server has accepted the message, and rejects as that of `push` does.
   *
   * With `{ volatile: true }`, for the position of a cursor, a message is sent at once or never. At most one of an event is sent in
   * `broadcastThrottleMs`: the first at once, then the last one of each interval. It is dropped if the room is not joined, or if too
   * much waits to be sent. The promise resolves at once, and never rejects. A payload that can never be sent is reported to `onError`
   * (`bad_payload`, `payload_too_large`); a refusal by the server is not.
   */
  readonly broadcast: Messages<Name>["broadcast"]
  /** Calls `callback` with the payload of each message of this event that the server sends to this topic. */
  readonly on: {
    <Event extends keyof EventsOf<Name>>(event: Event, callback: (payload: Received<Name, Event>) => void): Undo
    <Payload = unknown>(event: string, callback: (payload: Payload) => void): Undo
  }
  /**
   * Closes the room at once, and leaves its topic 50 ms later unless it is asked for again by then. If `connection.room` was
   * called several times for it, the last of as many `leave` calls does. Further calls do nothing.
   */
  readonly leave: () => void
}
