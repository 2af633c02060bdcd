import { RollcallError, kindOf } from "../../error.ts"
import type { Data, Message, Serializer } from "../../wire/message.ts"
import { JOIN_CRASHED, SUBSCRIBE_REFUSED, SUBSCRIBE_TIMEOUT } from "../../wire/refusals.ts"
import { isPromise, andThen } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import { isMetaRefusal, metaRefusal, readMe } from "./client-meta.ts"
import type { Me } from "./client-meta.ts"
import type { Channel, ChannelHandlers } from "./handlers.ts"
import { encodeReply, statusAndResponse } from "./reply.ts"
import type { JoinReply } from "./reply.ts"
import type { ServerContext } from "./server-context.ts"
import { withDeadline } from "../deadline.ts"

/** The channel that a client joins. */
interface JoiningChannel extends Channel {
  readonly serializer: Serializer
  /** What the client says of itself. Set when the join is accepted. */
  me: Me | undefined
}

/** The reply to a join, encoded. */
export interface JoinAnswer {
  readonly ok: boolean
  readonly data: Data | undefined
}

const CRASHED = { error: { reason: JOIN_CRASHED } }
const NOT_CONFIRMED = { error: { reason: SUBSCRIBE_TIMEOUT } }
const REFUSED = { error: { reason: SUBSCRIBE_REFUSED } }

type Encode = (reply: JoinReply) => JoinAnswer

/**
 * Runs the `join` handler. If it accepts, subscribes to the topic's broadcasts from other nodes. Returns the encoded answer,
 * synchronously unless something has to be awaited.
 */
export function processJoin(
  context: ServerContext,
  handlers: ChannelHandlers,
  channel: JoiningChannel,
  message: Message,
): Awaitable<JoinAnswer> {
  const encode = (reply: JoinReply): JoinAnswer => ({
    ok: statusAndResponse(reply).status === "ok",
    data: encodeReply(channel.serializer, message.joinRef, message, reply),
  })
  return andThen(runJoinHandler(context, handlers, channel, message.payload, encode), (answer) => {
    return answer.ok ? subscribeTopic(context, channel.topic, answer, encode) : answer
  })
}

/**
 * Runs the `join` handler. Never throws or rejects: the answer is `join crashed` when the handler throws, does not return in
 * time, or returns a value that cannot be encoded (P10).
 * What the client says of itself is read only after the handler has accepted the client.
 */
function runJoinHandler(
  context: ServerContext,
  handlers: ChannelHandlers,
  channel: JoiningChannel,
  payload: unknown,
  encode: Encode,
): Awaitable<JoinAnswer> {
  const crash = (error: unknown): JoinAnswer => {
    context.count("join_crashes")
    context.logger.error("a join crashed", { topic: channel.topic, error })
    return encode(CRASHED)
  }
  const { timers, limits } = context
  const limit = { ms: limits.handlerTimeoutMs, timers, code: "handler_timeout", expected: "an answer to a join" }
  try {
    const params = joinParams(payload)
    const answer = (reply: JoinReply): JoinAnswer => {
      const encoded = encode(reply)
      if (!encoded.ok || handlers.presence === undefined) return encoded
      try {
        channel.me = readMe(params, handlers, limits.maxMetaBytes, context.leftOut)
        return encoded
      } catch (error) {
        if (!isMetaRefusal(error)) throw error
        context.count("refused_presences")
        return encode({ error: metaRefusal(error) })
      }
    }
    const reply = handlers.join(channel.topic, params, channel)
    return isPromise(reply) ? withDeadline(reply, limit).then(answer).catch(crash) : answer(reply)
  } catch (error) {
    return crash(error)
  }
}

/** Waits until the subscription is confirmed, and only then returns the ok: the client gets every broadcast after its ok. */
function subscribeTopic(context: ServerContext, topic: string, ok: JoinAnswer, encode: Encode): Awaitable<JoinAnswer> {
  const confirmed = context.subscribe(topic)
  if (confirmed === undefined) return ok
  const refuse = (error: unknown): JoinAnswer => {
    const { code } = Object(error) as { code?: unknown }
    if (code === "subscribe_refused") {
      context.count("subscribe_refusals")
      context.logger.error("the bus refused a topic", { topic, error })
      return encode(REFUSED)
    }
    context.count("subscribe_timeouts")
    // An outage is logged once. Otherwise each attempt of each client would be another line, for as long as it lasts.
    if (code !== "bus_away") context.logger.error("the bus did not confirm a topic", { topic, error })
    return encode(NOT_CONFIRMED)
  }
  return confirmed.then(() => ok, refuse)
}

/**
 * Returns the params of a join, `{}` when there are none.
 * @throws RollcallError `bad_params` for a payload that is not a JSON object
 */
function joinParams(payload: unknown): Record<string, unknown> {
  if (payload === null) return {}
  if (typeof payload !== "object" || Array.isArray(payload) || payload instanceof Uint8Array) {
    throw new RollcallError("bad_params", `expected a JSON object as the payload of a join, got ${kindOf(payload)}`)
  }
  return payload as Record<string, unknown>
}
