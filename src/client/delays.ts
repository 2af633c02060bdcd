/** Checks of options that are delays. */
import { ConfigError } from "../error.ts"

/**
 * Checks that all options that are milliseconds, by their names, are delays for which a timer can wait. It would fire at
 * once for a longer one.
 *
 * @throws ConfigError
 */
export function checkDelays(options: object): void {
  for (const [name, ms] of Object.entries(options) as [string, string | number | undefined][]) {
    if (!/(Ms|imeout)$/.test(name) || ms === undefined || typeof ms === "function") continue
    if (!(typeof ms === "number" && ms >= 0 && ms < 2 ** 31)) {
      throw new ConfigError(`expected ${name} to be milliseconds ≥ 0, got ${ms}`)
    }
  }
}
