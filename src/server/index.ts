/**
 * The reference server: Phoenix Channels and Presence in TypeScript.
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
export { createServer } from "./server.ts"
export type { Server } from "./server.ts"
export type { ServerOptions } from "./options.ts"
export type { Listening, ListenOptions } from "./listen.ts"
export type { Role } from "./role.ts"

// seeing inside
export type { Logger } from "./logger.ts"
export type { Meter } from "./runtime.ts"
export type { Stats } from "./stats.ts"
export type { Distribution } from "./counts.ts"
export type { OperationsHandler } from "./operations/handler.ts"

// sockets and channels
export type { SocketHandlers, TransportName } from "./mount.ts"
export type { Origins } from "./origins.ts"
export type { Awaitable } from "./awaitable.ts"
export type { AnyAssigns, ChannelHandlers, EventHandler, LeftReason } from "./handlers.ts"
export type { JoinReply, Reply } from "./reply.ts"
export type { Channel } from "./channel.ts"

// tokens for connect
export { tokens } from "./tokens.ts"
export type { Claims, Tokens, TokensOptions } from "./tokens.ts"

// presence
export type { Presence, PresenceChannel, UpdateRules } from "./presence.ts"
export type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"

// transports of one's own
export type { Admission, Endpoint, Frame, Handshake, Inlet, Outlet } from "./transport.ts"
export type { Limits } from "./limits.ts"

// errors and time
export { ConfigError, RollcallError } from "../error.ts"
export type { Timers } from "../timers.ts"
