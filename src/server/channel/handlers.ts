import type { Awaitable } from "../awaitable.ts"
import type { Me } from "./client-meta.ts"
import type { JoinReply, Reply } from "./reply.ts"

/** The type of assigns where none is given; `createServer<{ userId: string }>()` gives one. */
// oxlint-disable-next-line typescript/no-explicit-any -- with `unknown`, every use of a field, such as a user's id, needs a cast
export type AnyAssigns = Record<string, any>

/** One client in one topic, as its handlers see it. */
export interface Channel<Assigns extends object = AnyAssigns> {
  readonly topic: string
  /** A copy, for this channel only, of what `connect` returned. Handlers may change it. */
  readonly assigns: Assigns
  /** The channel's name on its node: the pid of its presences. */
  readonly pid: string
  /** The reference of the join, which this channel's own messages carry (P10). */
  readonly joinRef: unknown
  /** The key under which the channel is tracked in its topic, its first one if it has several; `undefined` if it is not tracked. */
  readonly key: string | undefined
  /** Whether the channel has ended. After that, everything that it sends is dropped. */
  readonly ended: boolean
  /**
   * Sends an event to this client only.
   *
   * A presence snapshot (`presence.list`) is replaced by the topic's state at the time of sending. It is sent after the diff
   * that is being collected, because that diff omits presences that joined and left inside its window.
   * @param payload a JSON object or bytes; default `{}`
   * @throws RollcallError `not_joined` before the join has been answered, `bad_payload` when the payload is neither an
   * object nor bytes (P6); TypeError when it is not a JSON value
   */
  push(event: string, payload?: unknown): void
  /** Sends an event to every client of the topic, this one included. @throws as `push` */
  broadcast(event: string, payload?: unknown): void
  /** Sends an event to every client of the topic except this one. @throws as `push` */
  broadcastFrom(event: string, payload?: unknown): void
  /**
   * Returns a function that replies later, after the handler has returned, to the message that is being handled now (P16). A
   * reply after the channel has ended is dropped. A reply that cannot be encoded crashes the channel, like one that a handler
   * returns.
   * @throws RollcallError `no_message` when no message is being handled
   */
  replyTo(): (reply: Reply) => void
  /** Ends the channel. Its client gets `phx_close`, after the reply of the handler that is running. */
  stop(): void
  /**
   * Removes the client from this topic: ends the channel like `stop`, and gives the client a reason. Its other topics go on.
   *
   * The client gets `phx_close` with `{ reason }`, and does not join again by itself: in Rollcall's client the room is closed,
   * and `room.reason` is `{ code: "kicked", detail: { reason } }`; phoenix.js passes the payload to `channel.onClose`. To keep the
   * client out, refuse its next join. A client that is kicked in `join` gets the answer first; its `presence` and `joined` do not
   * run.
   * @param reason a text for the client, such as `"banned"`
   * @throws ConfigError for a reason that is not a string
   */
  kick(reason: string): void
}

/**
 * Why a channel ended: the client `left`, joined the topic again (`rejoined`), or its connection `closed`; a handler
 * `crashed`; or the server `stopped` or `kicked` it.
 */
export type LeftReason = "left" | "rejoined" | "closed" | "crashed" | "stopped" | "kicked"

/** The presence of a channel: a key, for example the user's id, and a meta, a JSON object. The default meta is `{}`. */
export interface InitialPresence {
  readonly key: string | number
  readonly meta?: object
}

/**
 * Serves the topics of one route. The handlers of a channel run one after the other, each awaited before the next.
 *
 * A handler that throws, or that takes longer than `handlerTimeoutMs`, ends its channel with `phx_error` (P15). Other
 * channels, and the connection, are not affected.
 */
export interface ChannelHandlers<Assigns extends object = AnyAssigns> {
  /**
   * Accepts a client with `{ ok: payload }`, or refuses it with `{ error: reason }`. If it throws, the client is refused with
   * `join crashed`.
   * @param params the payload of the client's join: a JSON object, `{}` when the client sent none
   */
  join(topic: string, params: Record<string, unknown>, channel: Channel<Assigns>): Awaitable<JoinReply>
  /**
   * Returns the key and meta with which the channel is tracked in its topic. After the join's answer has been sent, the
   * channel is tracked, then `joined` runs, then the topic's state is pushed as `presence_state`, unless `joined` has pushed one.
   *
   * If it returns `undefined`, nothing is tracked, but the state is pushed. The presence is removed when the channel ends.
   * @param me what the client says of itself, `me` in the params of its join: a plain JSON object of at most `maxMetaBytes`, which
   * the client chose freely, without the fields that `allow` does not list; `{}` when it sent none. Only what this handler
   * returns is tracked, so take identity and rights from the assigns. A larger object is refused with `meta_too_large`.
   */
  presence?(channel: Channel<Assigns>, me: Me): Awaitable<InitialPresence | undefined>
  /**
   * The fields that a client may set of its own meta. The `presence` handler gets a `me` with these fields only, and updates of
   * other fields are refused. `presence_update` then needs no handler in `on`. By default, any field, and no such handler.
   */
  readonly allow?: readonly string[]
  /**
   * How long the presences of a channel stay whose connection was lost: its client did not leave, and this server did not close it.
   * A newer presence under the same key, on any node, takes the place of such a one, so that others see an update, and no gap. In
   * ms, from 0 to 24 days. Default 0: they end at once.
   */
  readonly presenceGraceMs?: number
  /** Runs after the join's answer has been sent. Push first messages here, and track presences if there is no `presence`. */
  joined?(channel: Channel<Assigns>): Awaitable<void>
  /**
   * Runs once for each channel whose client got an ok to its join, after the channel has ended and its presences are removed, or
   * kept (`presenceGraceMs`).
   * It also runs when the connection broke before `joined` could run.
   *
   * It does not run for every `ok` that `join` returned. The client may disconnect before the answer is sent, or the bus may
   * not confirm the topic (`subscribe timeout`, `subscribe refused`). So a resource that `left` releases must be acquired in
   * `joined`. A resource that `join` acquires must be released before `join` returns.
   */
  left?(channel: Channel<Assigns>, reason: LeftReason): Awaitable<void>
  /** Event → handler. It returns the reply, or `undefined` for none. An event without a handler crashes the channel. */
  readonly on?: Readonly<Record<string, EventHandler<Assigns>>>
  /** Event → handler for a broadcast on its way to this channel's client. The client gets only what the handler pushes. */
  readonly out?: Readonly<Record<string, EventHandler<Assigns>>>
}

/** Handles one event. It is declared as a method, so that a handler may declare a narrower type for its payload. */
export type EventHandler<Assigns extends object> = {
  handle(payload: unknown, channel: Channel<Assigns>, event: string): Awaitable<Reply | void>
}["handle"]
