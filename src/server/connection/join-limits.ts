import type { Message } from "../../wire/message.ts"
import { TOO_MANY_CHANNELS, TOO_MANY_JOINS, TOPIC_TOO_LONG } from "../../wire/refusals.ts"
import type { JoinRefusal } from "../../wire/refusals.ts"
import type { Runtime } from "../channel/runtime.ts"
import { RateLimiter } from "./rate-limit.ts"

/** Checks the joins of one connection against its limits. */
export class JoinLimits {
  readonly #runtime: Runtime
  readonly #rate = new RateLimiter()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /**
   * Counts a join of `topic`, and returns the reason for which it is refused, or `undefined`.
   * @param channels the number of channels that the connection has if the join is accepted
   */
  refusal({ joinRef, ref }: Message, topic: string, channels: number): JoinRefusal | undefined {
    const { limits, timers } = this.#runtime
    if (topic.length > limits.maxTopicLength || lengthOf(joinRef ?? ref) > limits.maxTopicLength) {
      this.#runtime.count("long_topics")
      return TOPIC_TOO_LONG
    }
    if (this.#rate.exceeds(limits.maxJoinsPerSecond, timers.now())) {
      this.#runtime.count("join_floods")
      return TOO_MANY_JOINS
    }
    if (channels > limits.maxChannels) {
      this.#runtime.count("channel_overflows")
      return TOO_MANY_CHANNELS
    }
    this.#runtime.count("joins")
    return undefined
  }
}

/** The length of a reference as JSON or text, in characters: each channel keeps it. */
function lengthOf(ref: unknown): number {
  const text = typeof ref === "object" ? JSON.stringify(ref) : (ref as string | number | undefined)
  return String(text).length
}
