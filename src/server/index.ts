/**
 * A server of Phoenix Channels and Presence in TypeScript.
 *
 * ```ts
 * const server = createServer()
 * server.socket("/socket", { connect: ({ params }) => ({ userId: params.userId }) })
 * server.channel("rooms:*", { join: () => ({ ok: {} }), joined: (channel) => … })
 * await server.listen(4000)
 * ```
 *
 * @packageDocumentation
 */

// the server
export { createServer } from "./channels-server.ts"
export type { Server } from "./server.ts"
export type { ServerOptions } from "./server-options.ts"
export type { TrustedProxies, TrustProxy } from "./trusted-proxies.ts"
export type { Listening, ListenOptions } from "./lifecycle/listen-options.ts"
export type { Role } from "./role.ts"

// an HTTP server of your own
export type { AttachableServer } from "./transports/attachable.ts"

// logs, metrics, reports
export type { Logger } from "./logger.ts"
export type { Meter } from "./operations/meter.ts"
export type { Stats } from "./operations/stats.ts"
export type { Distribution } from "./operations/counters.ts"
export type { OperationsHandler } from "./operations/http-handler.ts"

// sockets and channels
export type { Expiry, SocketHandlers, TransportName } from "./admission/mount.ts"
export type { DialectName } from "./channel/dialect.ts"
export type { Hosts } from "./admission/hosts.ts"
export type { Origins } from "./admission/origins.ts"
export type { Awaitable } from "./awaitable.ts"
export type {
  AnyAssigns,
  Channel,
  ChannelHandlers,
  EventHandler,
  InitialPresence,
  LeftReason,
} from "./channel/handlers.ts"
export type { JoinReply, Reply } from "./channel/reply.ts"

export type { Me } from "./channel/client-meta.ts"
export { relay } from "./channel/relay.ts"
export type { RelayOptions } from "./channel/relay.ts"

// rooms that client and server define once
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
export type { InputOf, OutputOf, StandardSchema } from "../standard-schema.ts"
export type { EventPayload, MeOf, RoomChannel, RoomHandlers, RoomPresence } from "./channel/defined-room.ts"

// tokens for connect
export { tokens } from "./admission/tokens.ts"
export type { Claims, Tokens, TokensOptions } from "./admission/tokens.ts"

// presence
export type { Presence } from "./presence/presence.ts"
export type { PresenceChannel, PushStateOptions } from "./presence/presence-options.ts"
export { growingWindow } from "./presence-window.ts"
export type { PresenceWindow } from "./presence-window.ts"
export type { KeyChange, LastSeen, WatchKeysOptions } from "./presence/online-keys.ts"
export { watchKeys } from "./presence/watch-keys.ts"
export type { WatchChannelOptions } from "./presence/watch-keys.ts"
export type { ServerHandlers } from "./channel/server-handlers.ts"
export type { ProcessPresence, ProcessPresenceOptions } from "./presence/process-presences.ts"
export type { UpdateRules } from "./presence/client-updates.ts"
export type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"

// for a transport of your own
export type { NestedParam, NestedParams } from "./nested-params.ts"
export type { Admission, Endpoint, Frame, Handshake, Inlet, Outlet } from "./transport.ts"
export type { Limits } from "./limits.ts"

// for a serializer of your own
export type { Data, Message, Serializer } from "../wire/message.ts"
export type { Payload } from "../wire/payload.ts"

// errors and time
export { ConfigError, RollcallError } from "../error.ts"
export type { Timers } from "../timers.ts"
