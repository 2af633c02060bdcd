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
    const isBytes = name.endsWith("Bytes")
    if (typeof value !== "number" || !(isBytes ? value > 0 : value >= 0 && value < 2 ** 31)) {
      throw new ConfigError(
        `expected ${name} to be ${isBytes ? "bytes > 0" : "milliseconds ≥ 0"}, got ${String(value)}`,
      )
    }
  }
}
