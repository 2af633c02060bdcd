/** What is sent when connecting or joining. */
import { ConfigError } from "../error.ts"

/** Excludes functions and promises, by the methods that they have. */
type NoFunction = { call?: never; then?: never }

/**
 * Params that are sent when connecting or joining: an object, or a function that returns one, or a promise of one, for
 * each attempt.
 */
export type Params = (object & NoFunction) | ({ [key: string]: unknown } & NoFunction) | (() => object)

/** @throws ConfigError if a value is no object */
export function assertParams(params: unknown): asserts params is object {
  if (typeof params !== "object" || !params)
    throw new ConfigError(`expected an object, got ${String(params && typeof params)}`)
}
