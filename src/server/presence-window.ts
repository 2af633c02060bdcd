import { ConfigError } from "../error.ts"
import { inspect, MAX_MS } from "./limits.ts"

/**
 * Returns for how long the changes of a topic are collected, in ms from 0 to 24 days.
 *
 * It is called at the start of each window, with the number of users that are present, and with 0 when a topic becomes empty.
 * The number is 0 for a topic whose users no client of this node has been sent.
 */
export type PresenceWindow = (topic: string, size: number) => number

/** From how many users on a window has which length in ms: the largest first. */
const STEPS = [
  { from: 5_000, ms: 5_000 },
  { from: 500, ms: 1_000 },
] as const

/** A topic stays on its step until it has less than this part of the step's users, so that its window does not change all the time. */
const HYSTERESIS = 0.8

/**
 * Returns a `presenceWindowMs` that grows with the topic: 0 below 500 users, 1 s from 500 on, and 5 s from 5000 on.
 *
 * A topic that shrinks keeps its window down to 80 % of these numbers.
 */
export function growingWindow(): PresenceWindow {
  /** The steps of the topics that are above the first one: a topic that is small needs no entry. */
  const steps = new Map<string, (typeof STEPS)[number]>()
  return (topic, size) => {
    const present = steps.get(topic)
    const step = STEPS.find((each) => size >= (each === present ? each.from * HYSTERESIS : each.from))
    if (step === undefined) steps.delete(topic)
    else steps.set(topic, step)
    return step?.ms ?? 0
  }
}

const isWindow = (ms: unknown): ms is number => typeof ms === "number" && ms >= 0 && ms <= MAX_MS

/**
 * Returns how long presence changes are collected, 0 by default. A function's errors, and results that are no time, are reported
 * once, and count as 0.
 * @param failed called with the first error of a function
 * @throws ConfigError for a value that is neither `false` nor a function, nor a time from 0 ms to 24 days
 */
export function windowOf(
  windowMs: number | false | PresenceWindow = 0,
  failed: (error: unknown) => void = () => {},
): number | false | PresenceWindow {
  if (typeof windowMs === "function") return withoutErrors(windowMs, failed)
  if (windowMs === false || isWindow(windowMs)) return windowMs
  throw new ConfigError(
    `expected presenceWindowMs to be false or a time of 0 to ${MAX_MS} ms, got ${inspect(windowMs)}`,
  )
}

/** Reports only the first error: there may be thousands of windows in a second. */
function withoutErrors(given: PresenceWindow, failed: (error: unknown) => void): PresenceWindow {
  let hasFailed = false
  return (topic, size) => {
    try {
      const ms: unknown = given(topic, size)
      if (isWindow(ms)) return ms
      throw new ConfigError(
        `expected presenceWindowMs to return a time of 0 to ${MAX_MS} ms, got ${inspect(ms)} for ${size} users`,
      )
    } catch (error) {
      if (!hasFailed) failed(error)
      hasFailed = true
      return 0
    }
  }
}

/** Returns a window that is as long as the longer of two. One that is `false` is not longer than any. */
export function atLeast(windowMs: number | false | PresenceWindow, least: PresenceWindow): PresenceWindow {
  const given = typeof windowMs === "function" ? windowMs : () => windowMs || 0
  return (topic, size) => Math.max(given(topic, size), least(topic, size))
}
