import { ConfigError } from "../error.ts"
import type { LivenessTiming } from "./liveness.ts"

/**
 * Returns how often to ping, and how long an answer may take, with the defaults for what is missing.
 * @throws ConfigError for a value that is not a number of milliseconds above 0
 */
export function pingTimingOf({
  pingIntervalMs = 1_000,
  pingTimeoutMs = 3_000,
}: LivenessTiming): Required<LivenessTiming> {
  for (const [name, value] of Object.entries({ pingIntervalMs, pingTimeoutMs })) checkMs(name, value)
  return { pingIntervalMs, pingTimeoutMs }
}

/** @throws ConfigError for a value that is not a number of milliseconds above 0 */
export function checkMs(name: string, value: unknown): void {
  if (typeof value === "number" && value > 0 && value < 2 ** 31) return
  throw new ConfigError(`expected ${name} to be a number of milliseconds above 0, got ${String(value)}`)
}
