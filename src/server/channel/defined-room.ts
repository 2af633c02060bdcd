import { ConfigError, kindOf } from "../../error.ts"
import type { EventSchemas, EventsOf, MetaInputOf, MetaOf, RoomDefinition } from "../../room-definition.ts"
import { validate } from "../../standard-schema.ts"
import type { StandardSchema } from "../../standard-schema.ts"
import { INVALID_PAYLOAD } from "../../wire/refusals.ts"
import type { PresenceDiff } from "../../wire/presence-payloads.ts"
import type { Awaitable } from "../awaitable.ts"
import { MAX_MS } from "../limits.ts"
import { checkAllow } from "./client-meta.ts"
import { checkHandlerNames } from "./handler-names.ts"
import type { ClientMetaRules, Me } from "./client-meta.ts"
import type { AnyAssigns, Channel, ChannelHandlers, EventHandler, LeftReason } from "./handlers.ts"
import type { JoinReply, Reply } from "./reply.ts"
import type { ServerContext } from "./server-context.ts"
import type { ServerHandlers } from "./server-handlers.ts"

/** The payload of an event: of its type for an event that the definition names, and any other for another event. */
export type EventPayload<Room, Event> = Event extends keyof EventsOf<Room>
  ? [payload: EventsOf<Room>[Event]]
  : [payload?: unknown]

/** A channel of a defined room. What the server itself sends is typed, but not validated. */
export interface RoomChannel<Room extends RoomDefinition, Assigns extends object = AnyAssigns> extends Omit<
  Channel<Assigns>,
  "topic" | "push" | "broadcast" | "broadcastFrom"
> {
  readonly topic: ReturnType<Room["topic"]>
  push<Event extends string>(event: Event, ...payload: EventPayload<Room, Event>): void
  broadcast<Event extends string>(event: Event, ...payload: EventPayload<Room, Event>): void
  broadcastFrom<Event extends string>(event: Event, ...payload: EventPayload<Room, Event>): void
}

/** What a client says of itself: as the schema returns it, or `undefined` if the client sent none; without a schema any object. */
export type MeOf<Room extends RoomDefinition> = undefined extends Room["meta"] ? Me : MetaOf<Room> | undefined

/** The key and the meta with which a client is tracked. The schema validates the meta. */
export type RoomPresence<Room extends RoomDefinition> = { readonly key: string | number } & (Partial<
  MetaInputOf<Room>
> extends MetaInputOf<Room>
  ? { readonly meta?: MetaInputOf<Room> | MetaOf<Room> }
  : { readonly meta: MetaInputOf<Room> | MetaOf<Room> })

/** Event → handler, for the events of a definition, and for those of presence with their payloads. */
type HandlersByEvent<Room extends RoomDefinition, Assigns extends object, PresenceEvents> = {
  readonly [Event in keyof EventsOf<Room> | keyof PresenceEvents]?: (
    payload: Event extends keyof EventsOf<Room> ? EventsOf<Room>[Event] : PresenceEvents[Event & keyof PresenceEvents],
    channel: RoomChannel<Room, Assigns>,
    event: string,
  ) => Awaitable<Reply | void>
}

/** The handlers of a defined room: those of `ChannelHandlers`, with the types of its schemas. */
export interface RoomHandlers<Room extends RoomDefinition, Assigns extends object = AnyAssigns> {
  join(
    topic: ReturnType<Room["topic"]>,
    params: Record<string, unknown>,
    channel: RoomChannel<Room, Assigns>,
  ): Awaitable<JoinReply>
  /**
   * Like that of `ChannelHandlers`. If the schema refuses the `me` of a client, its join is refused with
   * `{ reason: "invalid_meta", message, field }`. Fields that only the server sets must be optional in the schema, and not in `allow`.
   */
  presence?(channel: RoomChannel<Room, Assigns>, me: MeOf<Room>): Awaitable<RoomPresence<Room> | undefined>
  /** The fields that a client may set of its own meta: see `ChannelHandlers`. */
  readonly allow?: readonly (keyof MetaInputOf<Room> & string)[]
  /** How long the presences of lost connections stay, in ms: see `ChannelHandlers`. Default 0. */
  readonly presenceGraceMs?: number
  joined?(channel: RoomChannel<Room, Assigns>): Awaitable<void>
  left?(channel: RoomChannel<Room, Assigns>, reason: LeftReason): Awaitable<void>
  /**
   * Event → handler, for the events of the definition. A payload that the schema refuses does not reach the handler: the client gets
   * `{ reason: "invalid_payload", message, field }`.
   */
  readonly on?: HandlersByEvent<Room, Assigns, { presence_update: unknown }>
  readonly out?: HandlersByEvent<Room, Assigns, { presence_diff: PresenceDiff<MetaOf<Room>> }>
}

/** What a route accepts of its clients. Handlers of a defined room have its schemas, for dialects whose clients send other frames. */
export interface RoomRules extends ClientMetaRules {
  /** Event → the schema of its payload. */
  readonly eventSchemas?: EventSchemas
}

/**
 * Returns the pattern and the handlers of a route.
 * @throws ConfigError when `join` is not a function, another handler has an unknown name or is no function, `allow` is not a list,
 * or `presenceGraceMs` is no time
 */
export function routeOf(
  room: string | RoomDefinition,
  typed: object,
  context: ServerContext,
): [string, ChannelHandlers] {
  // The types of `Server.channel` have checked them.
  const handlers = typeof typed === "function" ? (typed as ServerHandlers)(context) : (typed as ChannelHandlers)
  // A program without types may have left them out.
  const { join } = (handlers as Partial<ChannelHandlers> | undefined) ?? {}
  if (typeof join !== "function") throw new ConfigError(`expected handlers with a function join, got ${kindOf(join)}`)
  checkHandlerNames(handlers)
  checkAllow(handlers.allow)
  checkGrace(handlers.presenceGraceMs)
  return typeof room === "object" ? [room.pattern, roomHandlers(room, handlers)] : [room, handlers]
}

function checkGrace(ms: unknown = 0): void {
  if (typeof ms === "number" && ms >= 0 && ms <= MAX_MS) return
  const got = typeof ms === "number" ? String(ms) : kindOf(ms)
  throw new ConfigError(`expected presenceGraceMs to be a number of milliseconds from 0 to ${MAX_MS}, got ${got}`)
}

/** Returns handlers that validate by the schemas of a definition. Each of the program's handlers keeps its `this`. */
function roomHandlers({ meta, events }: RoomDefinition, handlers: ChannelHandlers): ChannelHandlers & RoomRules {
  const { allow, out, presenceGraceMs } = handlers
  const on = Object.entries(handlers.on ?? {}).map(([event, handler]) => {
    const schema = Object.hasOwn(events, event) ? events[event] : undefined
    // An event without a handler: it may be listed as `undefined`.
    if (handler === undefined) return [event, handler] as const
    const bound: EventHandler<AnyAssigns> = (...args) => handler.apply(handlers.on, args)
    return [event, schema === undefined ? bound : validated(schema, bound)] as const
  })
  return {
    eventSchemas: events,
    ...(meta !== undefined && { metaSchema: meta }),
    ...(allow !== undefined && { allow }),
    ...(out !== undefined && { out }),
    ...(presenceGraceMs !== undefined && { presenceGraceMs }),
    ...(handlers.on !== undefined && { on: Object.fromEntries(on) }),
    join: (...args) => handlers.join(...args),
    ...(handlers.presence && { presence: (channel, me) => handlers.presence?.(channel, me) }),
    ...(handlers.joined && { joined: (channel) => handlers.joined?.(channel) }),
    ...(handlers.left && { left: (channel, reason) => handlers.left?.(channel, reason) }),
  }
}

function validated(schema: StandardSchema, handler: EventHandler<AnyAssigns>): EventHandler<AnyAssigns> {
  return (payload, channel, event) => {
    const result = validate(schema, payload)
    if (result.refused !== undefined) return { error: { reason: INVALID_PAYLOAD, ...result.refused } }
    return handler(result.value, channel, event)
  }
}
