import { ConfigError, RollcallError } from "../../error.ts"
import { isJsonObject, isObject } from "../../json.ts"
import { validate } from "../../standard-schema.ts"
import { PRESENCE_DIFF, PRESENCE_STATE } from "../../wire/events.ts"
import type { Serializer } from "../../wire/message.ts"
import type { PresenceDiff } from "../../wire/presence-payloads.ts"
import { FIELD_NOT_ALLOWED, INVALID_PAYLOAD } from "../../wire/refusals.ts"
import { BROADCAST, binaryBroadcast, supabaseV2 } from "../../wire/supabase.ts"
import { andThen } from "../awaitable.ts"
import { metaRefusal, validMeta } from "../channel/client-meta.ts"
import type { RoomRules } from "../channel/defined-room.ts"
import type { Channel, ChannelHandlers } from "../channel/handlers.ts"
import type { JoinReply, Reply } from "../channel/reply.ts"
import type { Presence } from "../presence/presence.ts"
import { randomHex } from "../role.ts"
import type { Dialect } from "../channel/dialect.ts"
import { readJoinConfig } from "./supabase-join.ts"
import type { JoinConfig } from "./supabase-join.ts"

type CountRefusal = (name: "refused_presences") => void

/**
 * Serves Supabase's clients (`@supabase/realtime-js`) as Supabase Realtime does: broadcasts with `self` and `ack`, presence by
 * `track` and `untrack`, and renewed tokens. Handlers of the application for the same events take precedence.
 */
export function supabaseDialect(presence: Presence, count: CountRefusal): Dialect {
  const known = new WeakMap<ChannelHandlers, ChannelHandlers>()
  let serializers: readonly Serializer[] | undefined
  return {
    serializers: (standard) => (serializers ??= [supabaseV2, ...standard]),
    channel(handlers) {
      const wrapped = known.get(handlers) ?? withSupabase(handlers, presence, count)
      known.set(handlers, wrapped)
      return wrapped
    },
  }
}

function withSupabase(
  handlers: ChannelHandlers & RoomRules,
  presence: Presence,
  count: CountRefusal,
): ChannelHandlers & RoomRules {
  const { allow, metaSchema, presenceGraceMs } = handlers
  const configs = new WeakMap<Channel, JoinConfig>()
  const configOf = (channel: Channel): JoinConfig => configs.get(channel) as JoinConfig

  /**
   * An empty state comes first. After a reconnect, Supabase's client compares a state with its previous view, and would keep the
   * former references of all who have new ones.
   */
  function pushState(channel: Channel): void {
    channel.push(PRESENCE_STATE, {})
    presence.pushState(channel)
  }

  // Not by spreading them: they may be an instance of a class, whose methods are not its own properties.
  return {
    ...(allow !== undefined && { allow }),
    ...(metaSchema !== undefined && { metaSchema }),
    ...(presenceGraceMs !== undefined && { presenceGraceMs }),
    ...(handlers.left && { left: (channel, reason) => handlers.left?.(channel, reason) }),

    join(topic, params, channel) {
      const config = readJoinConfig(params, () => randomHex(16))
      configs.set(channel, config)
      return andThen(handlers.join(topic, params, channel), (reply) => withPostgresChanges(reply, config))
    },

    ...(handlers.presence && {
      presence: (channel, me) =>
        andThen(handlers.presence?.(channel, me), (initial) => {
          if (initial !== undefined) configOf(channel).key = String(initial.key)
          return initial
        }),
    }),

    joined: (channel) =>
      andThen(handlers.joined?.(channel), () => {
        const { isPresenceEnabled, postgresChanges } = configOf(channel)
        if (postgresChanges.length > 0) channel.push("system", noPostgresChanges(channel.topic))
        if (isPresenceEnabled) pushState(channel)
      }),

    on: {
      [BROADCAST]: (payload, channel) => broadcast(payload, channel, configOf(channel), handlers),

      presence(message, channel): Reply {
        const config = configOf(channel)
        const reply = changePresence(presence, channel, config.key, message, handlers)
        if ("error" in reply) count("refused_presences")
        if (!config.isPresenceEnabled && presence.isTracked(channel, config.key)) {
          // The first track of a client whose join did not ask for presences.
          config.isPresenceEnabled = true
          pushState(channel)
        }
        return reply
      },

      // A token that was renewed. An application that checks tokens has a handler of its own for this event.
      access_token: () => undefined,

      ...handlers.on,
    },

    out: {
      [PRESENCE_DIFF](diff, channel) {
        const { isPresenceEnabled, diffs } = configOf(channel)
        if (!isPresenceEnabled) return
        const present = (key: string) => presence.get(channel.topic, key)
        for (const part of diffs.translate(diff as PresenceDiff, present)) channel.push(PRESENCE_DIFF, part)
      },
      ...handlers.out,
    },
  }
}

function broadcast(
  payload: unknown,
  channel: Channel,
  { isSelf, isAcknowledged }: JoinConfig,
  { eventSchemas = {} }: RoomRules,
): Reply | undefined {
  const { event, payload: body } = Object(payload) as { event?: unknown; payload?: unknown }
  const isBinary = body instanceof Uint8Array && typeof event === "string"
  const schema = typeof event === "string" && Object.hasOwn(eventSchemas, event) ? eventSchemas[event] : undefined
  let sent = isBinary ? binaryBroadcast(channel.topic, event, body) : payload
  if (schema !== undefined) {
    const result = validate(schema, body)
    if (result.refused !== undefined) return { error: { reason: INVALID_PAYLOAD, ...result.refused } }
    if (!isBinary) sent = { ...Object(payload), payload: result.value } as object
  }
  if (isSelf) channel.broadcast(BROADCAST, sent)
  else channel.broadcastFrom(BROADCAST, sent)
  return isAcknowledged ? { ok: {} } : undefined
}

function changePresence(
  presence: Presence,
  channel: Channel,
  key: string,
  message: unknown,
  { allow, metaSchema }: RoomRules,
): Reply {
  const { event, payload = {} } = Object(message) as { event?: unknown; payload?: unknown }
  const operation = typeof event === "string" ? event.toLowerCase() : event
  if (operation === "untrack") {
    presence.untrack(channel, key)
    return { ok: {} }
  }
  if (operation !== "track") return { error: { reason: "expected the presence event track or untrack" } }
  if (!isJsonObject(payload)) return { error: { reason: "expected the payload of track to be an object" } }
  const foreign = allow && Object.keys(payload).find((field) => !allow.includes(field))
  if (foreign !== undefined) return { error: { reason: FIELD_NOT_ALLOWED, field: foreign } }
  try {
    const meta = metaSchema === undefined ? payload : validMeta(metaSchema, payload)
    if (presence.isTracked(channel, key)) presence.replace(channel, key, meta)
    else presence.track(channel, key, meta)
    return { ok: {} }
  } catch (error) {
    if (error instanceof ConfigError && metaSchema !== undefined) throw error
    if (error instanceof RollcallError) return { error: metaRefusal(error) }
    throw error
  }
}

/** Adds the subscriptions to database changes, without which Supabase's client closes a channel that has asked for some. */
function withPostgresChanges(reply: JoinReply, { postgresChanges }: JoinConfig): JoinReply {
  if (!("ok" in reply)) return reply
  const { ok = {} } = reply
  return isObject(ok) ? { ok: { postgres_changes: postgresChanges, ...ok } } : reply
}

const noPostgresChanges = (topic: string): object => ({
  extension: "postgres_changes",
  status: "error",
  message: "This server sends no database changes.",
  channel: topic.replace(/^realtime:/, ""),
})
