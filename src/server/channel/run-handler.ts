import { ConfigError, RollcallError, kindOf } from "../../error.ts"
import { quote } from "../../quote.ts"
import type { Message } from "../../wire/message.ts"
import { andThen } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { Channel, ChannelHandlers, InitialPresence } from "./handlers.ts"
import type { Outbox } from "./outbox.ts"
import type { Reply } from "./reply.ts"
import type { ChannelPresence } from "./server-context.ts"

/** A task of a channel: a message from its client, a broadcast for an `out` handler, or the steps after the join. */
export type Task =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "broadcast"; readonly event: string; readonly payload: unknown }
  | { readonly kind: "joined" }

/** The channel that a task belongs to, and the objects through which a `joined` task tracks it and pushes its state. */
interface TaskContext<Assigns extends object> {
  readonly channel: Channel<Assigns>
  readonly outbox: Outbox
  readonly presence: ChannelPresence
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
    const message = `expected an event that ${quote(channel.topic)} handles, got ${quote(loggableEvent(task))}`
    throw new RollcallError("no_handler", message)
  }
  return handler.call(byEvent, payload, channel)
}

/** The event of a task for logs and errors, at most 64 characters: a client can send any value in its place. */
export function loggableEvent(task: Task): string {
  if (task.kind === "joined") return "joined"
  const { event } = task.kind === "message" ? task.message : task
  return typeof event === "string" ? event.slice(0, 64) : kindOf(event)
}

/** Tracks, runs `joined`, and pushes the state unless `joined` has pushed it. The channel may end while a handler is awaited. */
function runJoined<Assigns extends object>(
  handlers: ChannelHandlers<Assigns>,
  { channel, outbox, presence }: TaskContext<Assigns>,
): Awaitable<void> {
  if (handlers.presence === undefined) return handlers.joined?.(channel)
  return andThen(handlers.presence(channel), (initial) => {
    if (channel.ended) return undefined
    if (initial !== undefined) {
      const { key, meta } = checkPresence(initial)
      presence.track(channel, key, meta)
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
