/**
 * Presence in the browser: which users are online, from any server that speaks the Phoenix Channels protocol.
 *
 * ```ts
 * import { connect } from "rollcall"
 * const room = connect("/socket").room<{ name: string }>("rooms:1")
 * room.subscribe(() => render(room.list()))
 * room.update({ name: "Ada" })
 * ```
 *
 * `Socket` and `Channel` are the classes of phoenix.js, with types. `Presence` has the API of phoenix.js's `Presence`, with types and fixes.
 * Code that was written for phoenix.js works after a change of its import.
 *
 * @packageDocumentation
 */

// connection
export { connect } from "./connect.ts"
export type { Connection, ConnectionStatus } from "./connection.ts"
export type { Count, CountOptions, CountSnapshot } from "./count.ts"
export type { KeyChange, KeyStatus, Online } from "./online.ts"
export type { ConnectionReason, ConnectOptions } from "./connect-options.ts"
export type { Reason } from "./reason.ts"
export type { BroadcastOptions, Outcome, Room } from "./room.ts"
export type { RoomOptions } from "./room-options.ts"
export type { Patch, UpdateOptions } from "./own-meta.ts"
export type { Signal, Signals } from "./signals.ts"

// phoenix.js
export { Channel, LongPoll, Serializer, Socket } from "./phoenix.ts"
export type {
  ChannelConstructor,
  Codec,
  Conn,
  Message,
  Push,
  SocketConstructor,
  SocketOptions,
  Transport,
} from "./phoenix.ts"

// presence
export { Presence } from "./presence.ts"
export type { ChannelLike, PresenceOptions } from "./sync.ts"
export type { Cause, Change, Replaced } from "./change.ts"
export type { ChangeListener, Entry, Snapshot, Status, Store } from "./store.ts"
export { groupBy } from "./group-by.ts"
export { sortBy, type Sorted } from "./sort-by.ts"
export type { View } from "./view.ts"
export type { Undo } from "../listeners.ts"

export { merged } from "./merged.ts"
export type { MergedOptions } from "./merged.ts"

// reducers
export { list, syncDiff, syncState } from "./reducers.ts"
export type { Chooser, OnJoin, OnLeave } from "./reducers.ts"
export type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"

// errors
export { JoinRejected } from "./errors.ts"
export { ConfigError, RollcallError } from "../error.ts"
export { defineRoom } from "../room-definition.ts"
export type {
  EventInputsOf,
  EventSchemas,
  EventsOf,
  MetaInputOf,
  MetaOf,
  RoomDefinition,
  RoomSchemas,
  Topic,
} from "../room-definition.ts"
export type { OnInvalid, Problem } from "../room-validation.ts"
export type { InputOf, OutputOf, SchemaIssue, StandardSchema } from "../standard-schema.ts"
