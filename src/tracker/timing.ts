import { ConfigError } from "../error.ts"
import { MAX_MESSAGE_BYTES } from "./tracker-messages.ts"

/** How often trackers speak to each other, and how long they wait. All in ms; all nodes should agree on them (T25). */
export interface TrackerTiming {
  /** How often the node looks whether there is something to say, and to ask; 1500 by default. */
  readonly broadcastPeriodMs: number
  /** After how many periods with nothing to say a heartbeat goes out all the same; 1 by default, one every 3 s. */
  readonly maxSilentPeriods: number
  /** How long own changes are gathered before they leave as one delta; 50 by default. */
  readonly deltaWindowMs: number
  /** How long a node may be silent until its presences leave here; 9000 by default, so that they are gone within 10 s. */
  readonly downPeriodMs: number
  /** How long a node may be silent until it is forgotten; 1 200 000 by default, 20 minutes. */
  readonly permdownPeriodMs: number
  /** How large each generation of deltas may grow, ascending: what nodes that missed a little are helped with (T20). */
  readonly maxDeltaSizes: readonly number[]
  /**
   * The largest message that is looked at, and sent; 64 MiB by default. A state or a delta that is larger travels in several:
   * it is a presence that must fit, one with its meta.
   */
  readonly maxMessageBytes: number
}

const DEFAULTS: TrackerTiming = {
  broadcastPeriodMs: 1500,
  maxSilentPeriods: 1,
  deltaWindowMs: 50,
  downPeriodMs: 9000,
  permdownPeriodMs: 1_200_000,
  maxDeltaSizes: [100, 1000, 10_000],
  maxMessageBytes: MAX_MESSAGE_BYTES,
}

/**
 * The options with their defaults (T25).
 * @throws ConfigError that names the option, or the two that cannot go together, and what was given
 */
export function timingOf(options: {
  readonly [Name in keyof TrackerTiming]?: TrackerTiming[Name] | undefined
}): TrackerTiming {
  const timing = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof TrackerTiming)[]) {
    const value = options[name]
    if (value !== undefined) Object.assign(timing, { [name]: value })
  }
  positive("broadcastPeriodMs", timing.broadcastPeriodMs)
  positive("downPeriodMs", timing.downPeriodMs)
  positive("permdownPeriodMs", timing.permdownPeriodMs)
  positive("maxMessageBytes", timing.maxMessageBytes)
  whole("maxSilentPeriods", timing.maxSilentPeriods, 0)
  if (!(timing.deltaWindowMs >= 0 && timing.deltaWindowMs < Infinity)) {
    throw new ConfigError(`expected deltaWindowMs to be a number from 0 up, got ${timing.deltaWindowMs}`)
  }
  for (const size of timing.maxDeltaSizes) whole("maxDeltaSizes", size, 1)
  relations(timing)
  return timing
}

function relations({ broadcastPeriodMs, maxSilentPeriods, downPeriodMs, permdownPeriodMs }: TrackerTiming): void {
  if (downPeriodMs < 2 * broadcastPeriodMs) {
    throw new ConfigError(
      `expected downPeriodMs to be at least twice broadcastPeriodMs (${broadcastPeriodMs}), got ${downPeriodMs}`,
    )
  }
  // T25 lets a node be silent for longer than the others wait: it would be down and up again for ever.
  const silence = broadcastPeriodMs * (maxSilentPeriods + 1)
  if (downPeriodMs <= silence) {
    throw new ConfigError(
      `expected downPeriodMs to be above the ${silence} ms between two heartbeats of a node with nothing to say ` +
        `(broadcastPeriodMs ${broadcastPeriodMs}, maxSilentPeriods ${maxSilentPeriods}), got ${downPeriodMs}`,
    )
  }
  if (permdownPeriodMs <= downPeriodMs) {
    throw new ConfigError(
      `expected permdownPeriodMs to be above downPeriodMs (${downPeriodMs}), got ${permdownPeriodMs}`,
    )
  }
}

function positive(name: string, value: number): void {
  if (!(value > 0 && value < Infinity)) throw new ConfigError(`expected ${name} to be a number above 0, got ${value}`)
}

/** @throws ConfigError when `value` is no whole number from `least` up */
export function whole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`expected ${name} to be a whole number from ${least} up, got ${value}`)
  }
}
