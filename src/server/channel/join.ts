import { RollcallError, kindOf } from "../../error.ts"
import type { Data } from "../../wire/message.ts"
import { JOIN_CRASHED, SUBSCRIBE_TIMEOUT } from "../../wire/refusals.ts"
import type { Channel } from "./channel.ts"
import { isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import type { ChannelHandlers } from "./handlers.ts"
import type { JoinReply } from "./reply.ts"
import type { Runtime } from "./runtime.ts"
import { withDeadline } from "../deadline.ts"

/** The answer to a join, ready to be sent. */
export interface JoinAnswer {
  readonly ok: boolean
  readonly data: Data | undefined
}

const CRASHED = { error: { reason: JOIN_CRASHED } }
const NOT_HEARD = { error: { reason: SUBSCRIBE_TIMEOUT } }

/**
 * What the handler says to a join. Never rejects: a handler that throws, says nothing in time, or says what cannot be
 * sent, has crashed (P10).
 */
export function runJoinHandler(
  runtime: Runtime,
  handlers: ChannelHandlers,
  channel: Channel,
  payload: unknown,
  encode: (reply: JoinReply) => JoinAnswer,
): Awaitable<JoinAnswer> {
  const crash = (error: unknown): JoinAnswer => {
    runtime.count("join_crashes")
    runtime.logger.error("a join crashed", { topic: channel.topic, error })
    return encode(CRASHED)
  }
  const { timers, limits } = runtime
  const limit = { ms: limits.handlerTimeoutMs, timers, code: "handler_timeout", expected: "an answer to a join" }
  try {
    const reply = handlers.join(channel.topic, joinParams(payload), channel)
    return isPromise(reply) ? withDeadline(reply, limit).then(encode).catch(crash) : encode(reply)
  } catch (error) {
    return crash(error)
  }
}

/** Has a topic heard from the other nodes before its join is answered, so that nothing sent after the ok is missed. */
export function subscribeTopic(
  runtime: Runtime,
  topic: string,
  answer: JoinAnswer,
  encode: (reply: JoinReply) => JoinAnswer,
): Awaitable<JoinAnswer> {
  const heard = answer.ok ? runtime.subscribe(topic) : undefined
  const refuse = (error: unknown): JoinAnswer => {
    runtime.count("subscribe_timeouts")
    runtime.logger.error("the bus did not confirm a topic", { topic, error })
    runtime.unsubscribe(topic)
    return encode(NOT_HEARD)
  }
  return heard?.then(() => answer, refuse) ?? answer
}

/** @throws RollcallError `bad_params` for a payload that is no JSON object; none at all is an empty one */
function joinParams(payload: unknown): Record<string, unknown> {
  if (payload === null) return {}
  if (typeof payload !== "object" || Array.isArray(payload) || payload instanceof Uint8Array) {
    throw new RollcallError("bad_params", `expected a JSON object as the payload of a join, got ${kindOf(payload)}`)
  }
  return payload as Record<string, unknown>
}
