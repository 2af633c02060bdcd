import type { Awaitable } from "../awaitable.ts"
import type { Channel } from "./channel.ts"
import type { JoinReply, Reply } from "./reply.ts"

/** What `connect` returns and channels have, where nobody says more of it: `createServer<{ userId: string }>()` does. */
// oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, not even a user's id could be used as one
export type AnyAssigns = Record<string, any>

/**
 * Why a channel ended: the client `left`, joined the topic again (`rejoined`), or its connection `closed`; a handler
 * `crashed`; or the server `stopped` it.
 */
export type LeftReason = "left" | "rejoined" | "closed" | "crashed" | "stopped"

/**
 * What serves the topics of one route. A channel's handlers run one after the other, each awaited before the next.
 *
 * A handler that throws, or that takes longer than `handlerTimeoutMs`, ends its channel with `phx_error`
 * (P15), and harms nothing else.
 */
export interface ChannelHandlers<Assigns extends object = AnyAssigns> {
  /**
   * Lets a client in with `{ ok: payload }`, or refuses with `{ error: reason }`; refuses with `join crashed` when it throws.
   * @param params what the client sent with the join: a JSON object, `{}` when it sent none
   */
  join(topic: string, params: Record<string, unknown>, channel: Channel<Assigns>): Awaitable<JoinReply>
  /** Runs after the join's answer has been sent: the place to track and to push the first state. */
  joined?(channel: Channel<Assigns>): Awaitable<void>
  /**
   * Runs once for each channel whose client was told that it is in, after it has ended and its presences are gone: also when
   * the connection broke before `joined` could run.
   *
   * That `join` returned `ok` is not enough: it does not run when the client goes while `join` or the bus takes its time, nor
   * when the bus does not confirm the topic (`subscribe timeout`). So what `left` is to give back is for `joined` to take; what
   * `join` takes, it has to give back itself before it returns.
   */
  left?(channel: Channel<Assigns>, reason: LeftReason): Awaitable<void>
  /** Event → handler. What it returns is the reply; nothing returned, no reply. An event that has none crashes the channel. */
  readonly on?: Readonly<Record<string, EventHandler<Assigns>>>
  /** Event → handler for a broadcast on its way to this channel's client: what it does not push is not sent. */
  readonly out?: Readonly<Record<string, EventHandler<Assigns>>>
}

/** Handles one event. Declared as a method, so that a handler may name the type of payload it has checked for. */
export type EventHandler<Assigns extends object> = {
  handle(payload: unknown, channel: Channel<Assigns>): Awaitable<Reply | void>
}["handle"]
