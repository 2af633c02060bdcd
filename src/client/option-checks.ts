/** Checks of options that are numbers. */
import { ConfigError } from "../error.ts"

/**
 * Checks all options that are milliseconds or bytes, by their names. Milliseconds must be a delay for which a timer can wait: it
 * would fire at once for a longer one.
 *
 * @throws ConfigError
 */
export function checkNumbers(options: object): void {
  for (const [name, value] of Object.entries(options) as [string, string | number | undefined][]) {
    if (!/(Ms|imeout|Bytes)$/.test(name) || value === undefined || typeof value === "function") continue
    const [min, max] = name.endsWith("Bytes") ? [1, Infinity] : [0, 2 ** 31 - 1]
    if (typeof value !== "number" || !(value >= min && value <= max))
      throw new ConfigError(`expected ${name} to be a number from ${min} to ${max}, got ${String(value)}`)
  }
}
