import { ConfigError, kindOf } from "./error.ts"

/**
 * Checks a pattern of topics: one topic, or a prefix and `*`. Returns whether it is a prefix.
 * @throws ConfigError when it is no string, or when `*` is anywhere but at the end
 */
export function checkTopicPattern(pattern: string): boolean {
  if (typeof pattern !== "string") {
    throw new ConfigError(`expected a topic, or a prefix and "*", got ${kindOf(pattern)}`)
  }
  const star = pattern.indexOf("*")
  if (star !== -1 && star !== pattern.length - 1) {
    throw new ConfigError(`expected a topic, or a prefix and "*" at its end, got "${pattern}"`)
  }
  return star !== -1
}
