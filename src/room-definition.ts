import { ConfigError, kindOf } from "./error.ts"
import { isObject } from "./json.ts"
import { withValidation } from "./room-validation.ts"
import { checkSchema } from "./standard-schema.ts"
import type { InputOf, OutputOf, StandardSchema } from "./standard-schema.ts"
import { checkTopicPattern } from "./topic-pattern.ts"

/** The schemas of the events that clients broadcast, by the name of the event. */
export type EventSchemas = Readonly<Record<string, StandardSchema>>

/** The schemas of a kind of room. */
export interface RoomSchemas {
  /** The schema of each meta: what a client says of itself, and what all clients of the room get. By default any object. */
  readonly meta?: StandardSchema<unknown, object>
  /** The schemas of the payloads of events, by the name of the event. By default none. */
  readonly events?: EventSchemas
}

declare const room: unique symbol

/** A topic of a defined kind of room: a string that carries the types of the room's metas and events. */
export type Topic<Schemas extends RoomSchemas = RoomSchemas> = string & { readonly [room]: Schemas }

/** A topic that no definition made: any other text. */
export type PlainTopic = string & { readonly [room]?: never }

/** A kind of room, defined once for client and server: its topics, and the schemas of its metas and events. */
export interface RoomDefinition<Schemas extends RoomSchemas = RoomSchemas> {
  /** One topic, or a prefix followed by `*`. */
  readonly pattern: string
  /**
   * Returns a topic of this kind: for the pattern `rooms:*`, `topic("1")` is `rooms:1`. If the pattern is one topic, returns it.
   * @throws ConfigError for an id that is neither a text nor a number, or is empty; for a pattern of one topic, for any id
   */
  topic(id?: string | number): Topic<Schemas>
  readonly meta: Schemas["meta"]
  readonly events: NonNullable<Schemas["events"]>
  /** Validates what a client receives. `connection.room` calls it; it is here so that a page without a definition does not load it. */
  readonly withValidation: typeof withValidation
}

/** The part of a definition, or of a topic, that types are derived from. */
type SchemasOf<Room> =
  Room extends RoomDefinition<infer Schemas> ? Schemas : Room extends Topic<infer Schemas> ? Schemas : NoSchemas

/** Those of a topic that no definition made. */
type NoSchemas = { readonly meta?: never }

type MetaSchemaOf<Room> = SchemasOf<Room> extends { readonly meta: infer Schema } ? Schema : undefined

/** The fields of a room's metas, as all clients get them; `Room` is the type of a definition or of a topic. */
export type MetaOf<Room> =
  undefined extends MetaSchemaOf<Room> ? Record<string, unknown> : OutputOf<MetaSchemaOf<Room>> & object

/** The fields that a client may set of its meta: what the schema accepts. */
export type MetaInputOf<Room> =
  undefined extends MetaSchemaOf<Room> ? Record<string, unknown> : InputOf<MetaSchemaOf<Room>> & object

type EventSchemasOf<Room> = SchemasOf<Room> extends { readonly events?: infer Schemas } ? NonNullable<Schemas> : object

/** Event → payload, as it is received. */
export type EventsOf<Room> = {
  [Event in keyof EventSchemasOf<Room>]: OutputOf<EventSchemasOf<Room>[Event]>
}

/** Event → payload, as it may be sent: what the schema accepts. */
export type EventInputsOf<Room> = {
  [Event in keyof EventSchemasOf<Room>]: InputOf<EventSchemasOf<Room>[Event]>
}

/**
 * Defines a kind of room for client and server.
 *
 * ```ts
 * export const lobby = defineRoom("rooms:*", {
 *   meta: z.object({ name: z.string().max(40), color: z.string() }),
 *   events: { cursor: z.object({ x: z.number(), y: z.number() }) },
 * })
 * connection.room(lobby.topic("1"))
 * server.channel(lobby, { … })
 * ```
 *
 * The server validates what a client says of itself and the events that it sends, and refuses what a schema refuses. Everybody
 * gets what the schema returns: with defaults, and without unknown fields if the schema removes them.
 *
 * @param pattern one topic, or a prefix followed by `*`
 * @throws ConfigError for an invalid pattern, or for a value that is not a Standard Schema
 */
export function defineRoom<const Schemas extends RoomSchemas = NoSchemas>(
  pattern: string,
  schemas?: Schemas,
): RoomDefinition<Schemas> {
  const { meta, events = {} } = schemas ?? ({} as Schemas)
  const isPrefix = checkTopicPattern(pattern)
  if (meta !== undefined) checkSchema("meta", meta)
  if (!isObject(events)) throw new ConfigError(`expected events to be an object of schemas, got ${kindOf(events)}`)
  for (const [event, schema] of Object.entries(events)) checkSchema(`the event ${event}`, schema)
  return Object.freeze({
    pattern,
    // Before the schemas, so that a comparison of two definitions ends here and does not go through them: they may have circles.
    topic(id?: string | number) {
      const isId = (typeof id === "string" && id !== "") || Number.isFinite(id)
      if (isPrefix ? !isId : id !== undefined) {
        const expected = isPrefix ? "an id that is a text or a number" : `no id for the topic ${pattern}`
        throw new ConfigError(`expected ${expected}, got ${id === "" ? "an empty text" : kindOf(id)}`)
      }
      return (isPrefix ? pattern.slice(0, -1) + String(id) : pattern) as Topic<Schemas>
    },
    meta: meta as Schemas["meta"],
    events: Object.freeze({ ...events }) as NonNullable<Schemas["events"]>,
    withValidation,
  })
}
