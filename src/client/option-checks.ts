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
    const isBytes = name.endsWith("Bytes")
    if (!(isBytes || /(Ms|imeout)$/.test(name)) || value === undefined || typeof value === "function") continue
    if (typeof value !== "number" || !(isBytes ? value > 0 : value >= 0 && value < 2 ** 31))
      throw new ConfigError(
        `expected ${name} to be a number from ${isBytes ? "1" : "0 to 2147483647"}, got ${String(value)}`,
      )
  }
}
