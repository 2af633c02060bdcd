import { ConfigError, RollcallError, kindOf } from "../../error.ts"
import { isJsonObject } from "../../json.ts"
import { quote } from "../../quote.ts"
import { LEAVE, PRESENCE_UPDATE } from "../../wire/events.ts"
import type { Message } from "../../wire/message.ts"
import { Payload } from "../../wire/payload.ts"
import { INVALID_META } from "../../wire/refusals.ts"
import { andThen, isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import { validMeta } from "./client-meta.ts"
import type { ClientMetaRules, Me } from "./client-meta.ts"
import type { Channel, ChannelHandlers, InitialPresence, LeftReason } from "./handlers.ts"
import { CRASHED } from "./ending.ts"
import type { Logger } from "../logger.ts"
import type { Outbox } from "./outbox.ts"
import type { Reply } from "./reply.ts"
import type { ServerContext } from "./server-context.ts"

/** A task of a channel: a message from its client, a broadcast for an `out` handler, or the steps after the join. */
export type Task =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "broadcast"; readonly event: string; readonly payload: unknown }
  | { readonly kind: "joined" }

/** Whether a task is a client's leave of the topic. */
export function isLeave(task: Task): boolean {
  return task.kind === "message" && task.message.event === LEAVE
}

/** The channel that a task belongs to, and the objects through which a `joined` task tracks it and pushes its state. */
interface TaskContext<Assigns extends object> {
  readonly channel: Channel<Assigns>
  /** What the client says of itself. */
  readonly me: Me | undefined
  readonly outbox: Outbox
  readonly server: Pick<ServerContext, "presence" | "count">
}

/**
 * Calls the handler of a task, and returns its result.
 * @throws RollcallError `no_handler` for an event without a handler; any error of the handler
 */
export function runTask<Assigns extends object>(
  handlers: ChannelHandlers<Assigns>,
  task: Task,
  context: TaskContext<Assigns>,
): Awaitable<Reply | void> {
  if (task.kind === "joined") return runJoined(handlers, context)
  const { channel } = context
  const { event, payload } = task.kind === "message" ? task.message : task
  const byEvent = (task.kind === "message" ? handlers.on : handlers.out) ?? {}
  const handler = typeof event === "string" && Object.hasOwn(byEvent, event) ? byEvent[event] : undefined
  if (handler === undefined) {
    // A handler of its own could only repeat the list of fields.
    if (task.kind === "message" && event === PRESENCE_UPDATE && handlers.allow !== undefined) {
      return context.server.presence.handleUpdate(channel, payload)
    }
    const message = `expected an event that ${quote(channel.topic)} handles, got ${quote(loggableEvent(task))}`
    throw new RollcallError("no_handler", message)
  }
  if (task.kind === "broadcast") return handler.call(byEvent, payload, channel, event as string)
  return withRefusalAsReply(() => handler.call(byEvent, payload, channel, event as string), context.server)
}

/** The codes of errors with which presence refuses what a client may have sent: its key, its meta, or one more of them. */
const PRESENCE_REFUSALS: ReadonlySet<string> = new Set([
  "key_too_long",
  "too_many_keys",
  "meta_too_large",
  "too_many_metas",
  INVALID_META,
])

const isRefusal = (error: unknown): error is RollcallError =>
  error instanceof RollcallError && PRESENCE_REFUSALS.has(error.code)

type Counting = Pick<ServerContext, "count">

/** The payload of the `phx_error` of a channel that has crashed: why its presence was refused, or that it has crashed. */
export function crashPayload(error: unknown, { count }: Counting): Payload {
  if (!isRefusal(error)) return CRASHED
  count("refused_presences")
  return Payload.of({ reason: error.code })
}

/** @throws the error, when it is not a refusal */
function refusalReply(error: unknown, { count }: Counting): Reply {
  if (!isRefusal(error)) throw error
  count("refused_presences")
  return { error: { reason: error.code } }
}

/** Replies with the reason to a client whose key or meta was refused. Its channel goes on: the next message may be better. */
function withRefusalAsReply(handle: () => Awaitable<Reply | void>, counting: Counting): Awaitable<Reply | void> {
  try {
    const reply = handle()
    if (!isPromise(reply)) return reply
    return Promise.resolve(reply).then(undefined, (error: unknown) => refusalReply(error, counting))
  } catch (error) {
    return refusalReply(error, counting)
  }
}

/** The event of a task for logs and errors, at most 64 characters: a client can send any value in its place. */
export function loggableEvent(task: Task): string {
  if (task.kind === "joined") return "joined"
  const { event } = task.kind === "message" ? task.message : task
  return typeof event === "string" ? event.slice(0, 64) : kindOf(event)
}

/** Runs the `left` handler. Never rejects. */
export async function runLeft<Assigns extends object>(
  handlers: ChannelHandlers<Assigns>,
  channel: Channel<Assigns>,
  reason: LeftReason,
  logger: Logger,
): Promise<void> {
  try {
    await handlers.left?.(channel, reason)
  } catch (error) {
    logger.error("a left handler failed", { topic: channel.topic, error })
  }
}

/** Tracks, runs `joined`, and pushes the state unless `joined` has pushed it. The channel may end while a handler is awaited. */
function runJoined<Assigns extends object>(
  handlers: ChannelHandlers<Assigns>,
  { channel, me, outbox, server: { presence } }: TaskContext<Assigns>,
): Awaitable<void> {
  if (handlers.presence === undefined) return handlers.joined?.(channel)
  // The type of `me` is that of the handlers' own: only those with a schema get `undefined`.
  return andThen(handlers.presence(channel, me as Me), (initial) => {
    if (channel.ended) return undefined
    if (initial !== undefined) {
      const { key, meta } = checkPresence(initial)
      presence.track(channel, key, accordingTo(handlers, meta))
    }
    return andThen(handlers.joined?.(channel), () => {
      if (!channel.ended && !outbox.hasState) outbox.pushState()
    })
  })
}

/** @throws ConfigError when the value is not an object with a `key`; `track` checks the key and the meta */
function checkPresence(initial: InitialPresence): InitialPresence {
  if (typeof initial === "object" && initial !== null && "key" in initial) return initial
  throw new ConfigError(`expected the presence handler to return { key, meta } or undefined, got ${kindOf(initial)}`)
}

/** Returns the meta of a `presence` handler as the room's schema returns it. @throws RollcallError `invalid_meta` */
function accordingTo({ metaSchema }: ClientMetaRules, meta: object = {}): object {
  return metaSchema === undefined || !isJsonObject(meta) ? meta : validMeta(metaSchema, meta)
}
