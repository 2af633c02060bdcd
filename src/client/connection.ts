/** The contract of a connection. `connect.ts` makes one. */
import type { MetaInputOf, MetaOf, PlainTopic, RoomDefinition, Topic } from "../room-definition.ts"
import type { RollcallError } from "../error.ts"
import type { Undo } from "../listeners.ts"
import type { Count, CountOptions } from "./count.ts"
import type { ConnectionReason } from "./connect-options.ts"
import type { Online } from "./online.ts"
import type { Params } from "./params.ts"
import type { Socket } from "./phoenix.ts"
import type { RoomOptions } from "./room-options.ts"
import type { Room } from "./room.ts"

/**
 * The status of a connection.
 *
 * - `idle`: not connected, because no room is held: before the first one, and `idleMs` after the last one was left.
 * - `connecting`: no attempt to connect has succeeded yet.
 * - `open`: connected.
 * - `reconnecting`: the connection broke or is in doubt, and is replaced unless it proves to be alive.
 * - `refused`: the server refuses the connection. It is tried again every 30 s or so, unless `onRefused` is `"stop"`.
 * - `paused`: closed by `pause()`, until `resume()`.
 * - `closed`: closed by `disconnect()`. Final.
 */
export type ConnectionStatus = "idle" | "connecting" | "open" | "reconnecting" | "refused" | "paused" | "closed"

/** Params of a join to a defined room: `me` is what the client says of itself. */
type ParamsOf<Name extends Topic> = WithMe<Name, Exclude<Params, () => object>> | (() => WithMe<Name, object>)
type WithMe<Name extends Topic, Others> = Others & { readonly me?: MetaInputOf<Name> }

/**
 * One connection to a server, and the rooms on it. It is opened with the first room, and closed a while after the last one was
 * left. After a loss it reconnects by itself, and its rooms join again.
 */
export interface Connection {
  /**
   * The socket of phoenix.js, for everything that is not wrapped here. The connection is opened also by its `connect()`, and when
   * it creates a channel.
   */
  readonly socket: Socket
  readonly status: ConnectionStatus
  /** Why there is no connection: the server refuses it, or it cannot be made here. `undefined` if neither is known. */
  readonly reason: ConnectionReason | undefined
  /** The rooms and counts that are held, in the order in which they were first asked for. To read one here does not hold it. */
  readonly rooms: readonly Room[]
  /**
   * Calls `listener` with errors that no caller can catch: `params_failed`, and `bad_frame` for a frame that is no message. Without
   * a listener, they are logged to the console.
   */
  onError(listener: (error: RollcallError) => void): Undo
  /** Calls `listener` with each new status. Returns a function that removes it. */
  onStatus(listener: (status: ConnectionStatus) => void): Undo
  /**
   * Calls `listener` when the page is left, just before its connection closes: what it pushes is still sent. `pagehide` is too late for
   * that. The page may come back from the browser's cache, and then joins its rooms again.
   */
  onPageHide(listener: () => void): Undo
  /**
   * Joins a topic, and returns its room.
   *
   * `params` are sent with each join. A function is called whenever a join is sent, and a promise is awaited. If the result
   * cannot be sent, the error is reported to the room's `onError`, and the join is tried again later. If they have `me`, an object
   * of what the client says of itself, what was given to `room.update` is merged over it at each join.
   *
   * Asking twice for a topic returns the same room, whatever the params; call `leave()` once per call. (Two channels with
   * one topic on one socket would evict each other.)
   *
   * A topic that was left is joined again only after the server has ended the former join; until then, 3 s at most, the new
   * room is `joining`. A topic that is asked for within 50 ms of its last `leave()`, with equal params and options, stays
   * joined: the new room starts with the view of the former one, and with what was given to `update`.
   *
   * A topic of a defined room (`defineRoom`) has the types of its definition: of the metas, the events and `me` among the params.
   * With the option `definition`, what arrives is validated, too.
   *
   * @throws RollcallError `closed` after `disconnect()`, `bad_payload` for params that JSON cannot write; ConfigError for
   * an invalid topic or option, and for a topic that is not of the `definition`
   */
  room<Name extends Topic>(topic: Name, params?: ParamsOf<Name>, options?: RoomOptions): Room<MetaOf<Name>, Name>
  room<Definition extends RoomDefinition>(
    topic: string,
    params: ParamsOf<ReturnType<Definition["topic"]>> | undefined,
    options: RoomOptions & { readonly definition: Definition },
  ): Room<MetaOf<Definition>, ReturnType<Definition["topic"]>>
  room<F extends object = Record<string, unknown>>(topic: PlainTopic, params?: Params, options?: RoomOptions): Room<F>
  /**
   * Joins a topic for the number of its users, without the users: for rooms of thousands, and for lists of rooms. Rollcall's server
   * sends the number when it has changed, in a room of 500 users at most once a second. Other servers do not; then the count stays
   * `joining`.
   *
   * The client is in the topic like any other: whether it is present decides the server's `presence` handler.
   *
   * @throws RollcallError, ConfigError as `room`; ConfigError for a topic of an open room, and for a room of a topic that is counted
   */
  count(topic: string, options?: CountOptions): Count
  /**
   * Asks which of these keys are online in any topic, on any node, and follows them until `close()`. Rollcall's server answers with
   * `watchKeys`, and decides which keys this client may ask about; the others are `refused`.
   *
   * All questions of a connection share the channel `presence:watch`, and each key is sent once, however many ask about it.
   *
   * @throws RollcallError `closed` after `disconnect()`; ConfigError for keys that are no list of strings
   */
  online(keys: readonly string[]): Online
  /**
   * Closes the connection until `resume()`, without attempts to connect meanwhile. Rooms keep their views, which are `stale` with
   * the reason `paused`; updates and pushes wait. A further call does nothing.
   */
  pause(): void
  /** Ends a pause: if there are rooms, connects at once, and joins them again. */
  resume(): void
  /** Leaves all rooms and closes the connection. Final. */
  disconnect(): void
}
