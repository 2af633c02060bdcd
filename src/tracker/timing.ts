import { ConfigError, kindOf } from "../error.ts"
import { MAX_MESSAGE_BYTES } from "./tracker-messages.ts"

/** The periods, timeouts and limits of a tracker (T25). Times are in ms. All nodes should have the same values. */
export interface TrackerTiming {
  /** How often the node checks whether to send a heartbeat; 1500 by default. */
  readonly broadcastPeriodMs: number
  /**
   * The number of periods without changes that are skipped before a heartbeat is sent anyway; 1 by default: one every 3
   * s.
   */
  readonly maxSilentPeriods: number
  /**
   * How long own changes are collected before they are sent as one delta; 50 by default. With more than 16 nodes it is longer, in
   * proportion to their number, and at most 1000.
   */
  readonly deltaWindowMs: number
  /**
   * The silence after which a node is down and its presences leave; 9000 by default: they leave within 10 s.
   */
  readonly downPeriodMs: number
  /** The silence after which a node is permanently down and forgotten; 1 200 000 by default, which is 20 minutes. */
  readonly permdownPeriodMs: number
  /**
   * The maximum size of each generation of recent deltas, ascending (T20); 100, 1000 and 10 000 by default. A node that
   * missed few changes is sent a generation instead of the full state.
   */
  readonly maxDeltaSizes: readonly number[]
  /**
   * The maximum size of a sent or received message, in bytes; 64 MiB by default. A larger state or delta is sent in chunks,
   * so only a single presence with its meta must fit into a message.
   */
  readonly maxMessageBytes: number
}

/** The longest time that timers can wait, in ms. A timer with a longer time fires at once. */
const MAX_MS = 2 ** 31 - 1

/** The values of a tracker without options. */
export const DEFAULT_TIMING: TrackerTiming = {
  broadcastPeriodMs: 1500,
  maxSilentPeriods: 1,
  deltaWindowMs: 50,
  downPeriodMs: 9000,
  permdownPeriodMs: 1_200_000,
  maxDeltaSizes: [100, 1000, 10_000],
  maxMessageBytes: MAX_MESSAGE_BYTES,
}

/**
 * Returns the given options, with defaults for those that are missing or `undefined` (T25).
 * @throws ConfigError if an option is invalid, or if two options contradict each other; the message names them
 */
export function timingOf(options: {
  readonly [Name in keyof TrackerTiming]?: TrackerTiming[Name] | undefined
}): TrackerTiming {
  const timing = { ...DEFAULT_TIMING }
  for (const name of Object.keys(DEFAULT_TIMING) as (keyof TrackerTiming)[]) {
    const value = options[name]
    if (value !== undefined) Object.assign(timing, { [name]: value })
  }
  checkPositive("broadcastPeriodMs", timing.broadcastPeriodMs)
  checkPositive("downPeriodMs", timing.downPeriodMs)
  checkPositive("permdownPeriodMs", timing.permdownPeriodMs)
  checkPositive("maxMessageBytes", timing.maxMessageBytes)
  checkWhole("maxSilentPeriods", timing.maxSilentPeriods, 0)
  const windowMs: unknown = timing.deltaWindowMs
  if (!(typeof windowMs === "number" && windowMs >= 0 && windowMs < Infinity)) {
    throw new ConfigError(`expected deltaWindowMs to be a number from 0 up, got ${shown(windowMs)}`)
  }
  checkTimer("broadcastPeriodMs", timing.broadcastPeriodMs)
  checkTimer("deltaWindowMs", timing.deltaWindowMs)
  const sizes: unknown = timing.maxDeltaSizes
  if (!Array.isArray(sizes)) throw new ConfigError(`expected maxDeltaSizes to be a list of sizes, got ${kindOf(sizes)}`)
  for (const size of timing.maxDeltaSizes) checkWhole("maxDeltaSizes", size, 1)
  checkRelations(timing)
  return timing
}

function checkRelations({ broadcastPeriodMs, maxSilentPeriods, downPeriodMs, permdownPeriodMs }: TrackerTiming): void {
  if (downPeriodMs < 2 * broadcastPeriodMs) {
    throw new ConfigError(
      `expected downPeriodMs to be at least twice broadcastPeriodMs (${broadcastPeriodMs}), got ${downPeriodMs}`,
    )
  }
  // T25 does not demand this. But if the silence between two heartbeats is longer than the down period, a node without
  // changes goes down and up again for ever.
  const silence = broadcastPeriodMs * (maxSilentPeriods + 1)
  if (downPeriodMs <= silence) {
    throw new ConfigError(
      `expected downPeriodMs to be above the ${silence} ms between two heartbeats of a node without changes ` +
        `(broadcastPeriodMs ${broadcastPeriodMs}, maxSilentPeriods ${maxSilentPeriods}), got ${downPeriodMs}`,
    )
  }
  if (permdownPeriodMs <= downPeriodMs) {
    throw new ConfigError(
      `expected permdownPeriodMs to be above downPeriodMs (${downPeriodMs}), got ${permdownPeriodMs}`,
    )
  }
}

function checkPositive(name: string, value: unknown): void {
  if (typeof value === "number" && value > 0 && value < Infinity) return
  throw new ConfigError(`expected ${name} to be a number above 0, got ${shown(value)}`)
}

/** @throws ConfigError for a time that no timer can wait */
function checkTimer(name: string, ms: number): void {
  if (ms > MAX_MS) throw new ConfigError(`expected ${name} to be at most ${MAX_MS} ms, got ${ms}`)
}

const shown = (value: unknown): string => (typeof value === "number" ? String(value) : kindOf(value))

/** @throws ConfigError if `value` is not a whole number from `least` up */
export function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ConfigError(`expected ${name} to be a whole number from ${least} up, got ${shown(value)}`)
  }
}
