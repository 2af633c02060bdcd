import { ConfigError, kindOf } from "../error.ts"
import { checkKnownNames } from "../known-names.ts"

/** The limits of what calls may use on one node. */
export interface ServiceLimits {
  /** Calls of this node that are not answered yet. A further one fails with `overloaded`. Default 20 000. */
  readonly maxCallsInFlight: number
  /** Calls that this node runs for all nodes. A further one is refused with `overloaded`. Default 10 000. */
  readonly maxRunningCalls: number
  /** Size of an input, an answer, or an item of a stream, in bytes. A larger one is not sent. Default 1 MiB. */
  readonly maxPayloadBytes: number
  /** Items of a stream that are sent before the consumer has taken one. Default 32. */
  readonly streamWindow: number
  /** How many retries there may be for each call, after the first 10. It keeps an outage from multiplying the load. Default 0.2. */
  readonly retryShare: number
}

const DEFAULTS: ServiceLimits = {
  maxCallsInFlight: 20_000,
  maxRunningCalls: 10_000,
  maxPayloadBytes: 1_048_576,
  streamWindow: 32,
  retryShare: 0.2,
}

/**
 * Returns the limits, with a default for each that is not given.
 * @throws ConfigError for a limit that is not a whole number from 1 up, or a share that is not a number from 0 up
 */
export function serviceLimitsOf(options: Partial<ServiceLimits> = {}): ServiceLimits {
  checkKnownNames("a limit of services", options, DEFAULTS)
  const limits: Record<keyof ServiceLimits, number> = { ...DEFAULTS }
  for (const name of Object.keys(DEFAULTS) as (keyof ServiceLimits)[]) {
    const value: unknown = options[name] ?? DEFAULTS[name]
    const isShare = name === "retryShare"
    if (
      typeof value !== "number" ||
      !(isShare ? value >= 0 : value >= 1 && (Number.isInteger(value) || value === Infinity))
    ) {
      const wanted = isShare ? "a number from 0 up" : "a whole number from 1 up"
      throw new ConfigError(
        `expected ${name} to be ${wanted}, got ${typeof value === "number" ? value : kindOf(value)}`,
      )
    }
    limits[name] = value
  }
  return limits
}
