/** Reports errors that no caller can catch: errors thrown by callbacks, and malformed frames from the server. */
import { RollcallError } from "../error.ts"
import { ListenerSet, type Undo } from "../listeners.ts"

const callbackFailed = (cause: unknown): RollcallError =>
  new RollcallError("callback_failed", "a callback threw", { cause })

/** The error listeners of a room or a `Presence`. Without a listener, errors are reported as uncaught ones. */
export class Errors {
  readonly #listeners = new ListenerSet<[error: RollcallError]>()

  add(listener: (error: RollcallError) => void): Undo {
    return this.#listeners.add(listener)
  }

  readonly report = (error: RollcallError): void => {
    if (this.#listeners.size === 0) reportUncaught(error)
    else this.#listeners.emit(reportThrown, error)
  }

  /** Reports an error that is no fault of the program. Without a listener, it is logged to the console. */
  readonly log = (error: RollcallError): void => {
    // oxlint-disable-next-line no-console
    if (this.#listeners.size === 0) console.error(error)
    else this.report(error)
  }

  /** Reports what a callback threw as `callback_failed`, with the thrown value as its cause. */
  readonly failed = (cause: unknown): void => this.report(callbackFailed(cause))
}

/** Reports what a callback threw as an uncaught `callback_failed`. */
export const reportThrown = (cause: unknown): void => reportUncaught(callbackFailed(cause))

/**
 * Reports an error as the platform reports uncaught ones. It is not thrown, because the transport has made the current
 * call and would get it.
 */
export function reportUncaught(error: unknown): void {
  // Not every platform has `reportError`.
  // oxlint-disable-next-line no-console
  const report = globalThis.reportError ?? console.error
  report(error)
}
