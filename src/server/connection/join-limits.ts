import type { Timers } from "../../timers.ts"
import type { Message } from "../../wire/message.ts"
import { TOO_MANY_CHANNELS, TOO_MANY_JOINS, TOPIC_TOO_LONG } from "../../wire/refusals.ts"
import type { JoinRefusal } from "../../wire/refusals.ts"
import type { Limits } from "../limits.ts"
import { RateLimiter } from "./rate-limit.ts"

/** The refusal of a join that exceeds a limit: the reason for the client, and the counter. */
export interface LimitRefusal {
  readonly reason: JoinRefusal
  readonly counter: "long_topics" | "join_floods" | "channel_overflows"
}

/** Checks the joins of one connection against its limits. */
export class JoinLimits {
  readonly #limits: Limits
  readonly #timers: Timers
  readonly #rate = new RateLimiter()

  constructor(limits: Limits, timers: Timers) {
    this.#limits = limits
    this.#timers = timers
  }

  /** Returns why a join of `topic` is refused, or `undefined`. `newChannels`: the channels of the connection if it is accepted. */
  refusal({ joinRef, ref }: Message, topic: string, newChannels: number): LimitRefusal | undefined {
    const { maxChannels, maxJoinsPerSecond, maxTopicLength } = this.#limits
    if (topic.length > maxTopicLength || lengthOf(joinRef ?? ref) > maxTopicLength) {
      return { reason: TOPIC_TOO_LONG, counter: "long_topics" }
    }
    if (this.#rate.exceeds(maxJoinsPerSecond, this.#timers.now())) {
      return { reason: TOO_MANY_JOINS, counter: "join_floods" }
    }
    if (newChannels > maxChannels) return { reason: TOO_MANY_CHANNELS, counter: "channel_overflows" }
    return undefined
  }
}

/** The length of a reference as JSON or text, in characters: each channel keeps it. */
function lengthOf(ref: unknown): number {
  return typeof ref === "object" ? JSON.stringify(ref).length : String(ref).length
}
