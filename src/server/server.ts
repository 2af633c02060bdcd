import type { RoomDefinition } from "../room-definition.ts"
import type { Services } from "../services/services.ts"
import type { SocketHandlers } from "./admission/mount.ts"
import type { EventPayload, RoomHandlers } from "./channel/defined-room.ts"
import type { AnyAssigns, ChannelHandlers } from "./channel/handlers.ts"
import type { ServerHandlers } from "./channel/server-handlers.ts"
import type { Listening, ListenOptions } from "./lifecycle/listen-options.ts"
import type { OperationsHandler } from "./operations/http-handler.ts"
import type { Stats } from "./operations/stats.ts"
import type { Presence } from "./presence/presence.ts"
import type { Role } from "./role.ts"
import type { Endpoint } from "./transport.ts"
import type { AttachableServer } from "./transports/attachable.ts"

/** A server of the Phoenix Channels protocol, with presence. */
export interface Server<Assigns extends object = AnyAssigns> extends AsyncDisposable {
  readonly presence: Presence
  /** Services on this server's tracker and bus: see `rollcall/services`. Created at the first use. */
  readonly services: Services
  /** The role of this process. Final once `listen` has resolved. */
  readonly role: Role
  /** The part of the server that transports use. Only a transport of your own needs it. */
  readonly endpoint: Endpoint
  /** Serves clients at a path: `/socket` serves `/socket/websocket` and `/socket/longpoll`. @throws ConfigError */
  socket(path: string, handlers?: SocketHandlers<Assigns>): void
  /**
   * Serves the topics that match a pattern: one topic, or a prefix followed by `*`. If several patterns match a topic,
   * the one that was added first serves it (P11).
   */
  channel(pattern: string, handlers: ChannelHandlers<Assigns> | ServerHandlers<Assigns>): void
  /**
   * Serves a kind of room that `defineRoom` has defined. Metas and events of clients are validated by its schemas: those of `on`
   * before their handler runs, `me` before the join is accepted, and updates before they are applied.
   */
  channel<Room extends RoomDefinition>(room: Room, handlers: RoomHandlers<Room, Assigns>): void
  /**
   * Sends an event to every client of a topic, on all nodes.
   * @throws RollcallError `bad_payload`; TypeError like `channel.push`
   */
  broadcast<Name extends string, Event extends string>(
    topic: Name,
    event: Event,
    ...payload: EventPayload<Name, Event>
  ): void
  /**
   * Closes all connections with a disconnect id, on all nodes, with the code 1001. Their clients connect again, and `connect`
   * decides again (P18).
   */
  disconnect(id: string): void
  /**
   * Listens on a port: of all network interfaces, or of a `host`. With port 0 the operating system picks a free
   * port. The port may be a string, such as `process.env.PORT`.
   *
   * With `workers`, the program is forked into that many processes. Each of them runs the program from its start and also reaches
   * this call. There it serves the port as a node of its own. The primary serves no clients.
   *
   * SIGTERM and SIGINT close the server and end the process, unless the option `signals` changes that.
   *
   * If it rejects, everything that it had opened has been closed again.
   * @throws ConfigError for an invalid option, without the package `ws`, or when a worker ends before it listens;
   * RollcallError `address_in_use`, or `closed` when `close` is called before the port is open
   */
  listen(port: number | string, host?: string): Promise<Listening>
  listen(options: number | string | ListenOptions): Promise<Listening>
  /**
   * Serves the paths of `socket` on an HTTP server of your own: of `node:http`, `node:https` or `node:http2`. All other
   * requests and upgrades go to the listeners of the HTTP server, whether they were added before this call or later.
   * @throws ConfigError without the package `ws`; RollcallError `closed` when `close` is called before the server is
   * attached
   */
  attach(httpServer: AttachableServer): Promise<void>
  /** Returns the present state of this server, and everything that it has counted. */
  stats(): Stats
  /**
   * Returns a handler of `/metrics`, `/health` and `/ready` for an HTTP server of your own. It works as middleware of Express, at
   * any path. Alternatively, `listen({ operations })` serves them on a port of their own.
   * @throws ConfigError when the package `prom-client` is not installed
   */
  operations(): Promise<OperationsHandler>
  /**
   * Shuts the server down. It stops accepting clients, notifies the other nodes that its users have left, and closes its
   * connections in batches (`drainBatch`) with the code 1012, so that the clients connect to other nodes.
   *
   * Resolves when all connections and `left` handlers have ended. It waits at most 5 s for the handlers, and at most 5 s for the
   * bus. May be called more than once.
   */
  close(): Promise<void>
}
