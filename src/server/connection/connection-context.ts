import type { Serializer } from "../../wire/message.ts"
import type { Dialect, DialectName } from "../channel/dialect.ts"
import type { ChannelHandlers } from "../channel/handlers.ts"
import type { Routes } from "../channel/routes.ts"
import type { ServerContext } from "../channel/server-context.ts"
import type { FairQueue } from "./fair-queue.ts"
import type { Socket } from "./socket.ts"

/** The settings and services that all sockets of one server share. */
export interface ConnectionContext extends ServerContext {
  readonly routes: Routes<ChannelHandlers>
  readonly fairQueue: FairQueue
  /** The serializers from which a handshake chooses, in the order of preference. */
  readonly serializers: readonly Serializer[]
  readonly dialects: Readonly<Record<DialectName, Dialect>>
  nextPid(): string
  /** Counts a client that was refused before it had a connection. */
  countRefusal(reason: string): void
  /**
   * Called once, when a socket's connection has ended.
   * @param ending resolves when its channels, and its join in progress, have ended, too; `undefined` if they have
   */
  gone(socket: Socket, ending: Promise<void> | undefined): void
}
