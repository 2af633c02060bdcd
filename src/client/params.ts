/** Params that are asked for anew at each attempt. */
import { ConfigError, RollcallError } from "../error.ts"
import { reportUncaught } from "./callback-errors.ts"

/** No function, and no promise, which is what they are told by. */
type NoFunction = { call?: never; then?: never }

/** Sent along by connecting, and by joining: an object, or a function that is asked for it at each attempt. Promises are not waited for. */
export type Params =
  | (object & NoFunction)
  | ({ [key: string]: unknown } & NoFunction)
  | (() => object & { then?: never })

/**
 * What phoenix.js may ask for without harm: a function that throws ends its attempts to reconnect, and keeps the other rooms
 * of the connection from joining again. What it gave before is taken then, and `params_failed` goes where the platform
 * reports uncaught errors. It is asked at once for the first attempt: what it throws then is the caller's to catch.
 *
 * @throws ConfigError for a promise, which would be sent as `{}`.
 */
export function steady<Given>(what: string, given: Given): Given {
  if (typeof given !== "function") return given
  const ask = (): unknown => {
    const asked: unknown = given()
    if (typeof (asked as { then?: unknown } | undefined)?.then === "function") {
      throw new ConfigError(`${what}: expected a function that returns a value, got one that returns a promise`)
    }
    return asked
  }
  let last = ask()
  let isAsked = true
  const next = (): unknown => {
    try {
      if (!isAsked) last = ask()
    } catch (cause) {
      reportUncaught(new RollcallError("params_failed", `${what}: expected a value, got an error`, { cause }))
    }
    isAsked = false
    return last
  }
  return next as Given
}
