/** Checks of options that are delays. */
import { ConfigError } from "../error.ts"

/**
 * Checks that the named options are delays for which a timer can wait: a longer one would fire at once.
 *
 * @throws ConfigError
 */
export function checkDelays(options: object, ...names: string[]): void {
  for (const name of names) {
    const ms = (options as Record<string, unknown>)[name]
    if (ms !== undefined && !(typeof ms === "number" && ms > 0 && ms < 2 ** 31)) {
      throw new ConfigError(`expected ${name} to be milliseconds > 0 and < 2 ** 31, got ${String(ms)}`)
    }
  }
}
