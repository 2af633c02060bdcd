/** Params of a connection or a join. They are an object, or a function that is called for each attempt. */
import { ConfigError, RollcallError } from "../error.ts"
import { reportUncaught } from "./callback-errors.ts"

/** Excludes functions and promises, by the methods that they have. */
type NoFunction = { call?: never; then?: never }

/**
 * Params that are sent when connecting or joining: an object, or a function that returns one for each attempt. A
 * promise is not awaited.
 */
export type Params =
  | (object & NoFunction)
  | ({ [key: string]: unknown } & NoFunction)
  | (() => object & { then?: never })

/**
 * Wraps a params function so that only its first call can throw. If a later call throws, the previous value is used.
 *
 * Otherwise an exception would end the reconnects of phoenix.js, and would keep the other rooms of the connection from joining
 * again. It is reported as an uncaught error, `params_failed`. The first call is made at once, so that the caller can catch
 * its exception.
 *
 * @param name the name of the params in error messages
 * @throws ConfigError if the function returns a promise, which would be sent as `{}`
 */
export function reuseLastOnError<Given>(name: string, given: Given): Given {
  if (typeof given !== "function") return given
  const call = (): unknown => {
    const value = (given as () => unknown)()
    if (typeof (value as { then?: unknown } | undefined)?.then === "function") {
      throw new ConfigError(`expected ${name} to return a value, got a promise`)
    }
    return value
  }
  let last = call()
  let isFresh = true
  const next = (): unknown => {
    try {
      if (!isFresh) last = call()
    } catch (cause) {
      reportUncaught(new RollcallError("params_failed", `expected ${name} to return a value, got an error`, { cause }))
    }
    isFresh = false
    return last
  }
  return next as Given
}
