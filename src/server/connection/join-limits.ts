import type { Message } from "../../wire/message.ts"
import { TOO_MANY_CHANNELS, TOO_MANY_JOINS, TOPIC_TOO_LONG } from "../../wire/refusals.ts"
import type { JoinRefusal } from "../../wire/refusals.ts"
import type { ServerContext } from "../channel/server-context.ts"
import { RateLimiter } from "../rate-limit.ts"

/** Checks the joins of one connection against its limits. */
export class JoinLimits {
  readonly #context: ServerContext
  readonly #rate = new RateLimiter()

  constructor(context: ServerContext) {
    this.#context = context
  }

  /**
   * Counts a join of `topic`. Returns the reason for refusing it, or `undefined`.
   * @param channels the number of channels that the connection would have after the join
   */
  refusal({ joinRef, ref }: Message, topic: string, channels: number): JoinRefusal | undefined {
    const { limits, timers } = this.#context
    if (topic.length > limits.maxTopicLength || lengthOf(joinRef ?? ref) > limits.maxTopicLength) {
      this.#context.count("long_topics")
      return TOPIC_TOO_LONG
    }
    if (this.#rate.exceeds(limits.maxJoinsPerSecond, timers.now())) {
      this.#context.count("join_floods")
      return TOO_MANY_JOINS
    }
    if (channels > limits.maxChannels) {
      this.#context.count("channel_overflows")
      return TOO_MANY_CHANNELS
    }
    this.#context.count("joins")
    return undefined
  }
}

/** The length of a reference as JSON or text, in characters. It is limited because each channel stores its reference. */
function lengthOf(ref: unknown): number {
  const text = typeof ref === "object" ? JSON.stringify(ref) : (ref as string | number | undefined)
  return String(text).length
}
