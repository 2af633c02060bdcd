/** Reports errors that no caller can catch: errors thrown by callbacks, and malformed frames from the server. */
import { RollcallError } from "../error.ts"
import { ListenerSet, type Undo } from "../listeners.ts"

/** The error listeners of a connection, a room or a `Presence`. Without a listener, errors are reported as uncaught ones. */
export interface Errors {
  add(listener: (error: RollcallError) => void): Undo
  report(error: RollcallError): void
  /** Reports an error that is no fault of the program. Without a listener, it is logged to the console. */
  log(error: RollcallError): void
  /** Reports what a callback threw as `callback_failed`, with the thrown value as its cause. */
  failed(cause: unknown): void
}

export function createErrors(): Errors {
  const listeners = new ListenerSet<[error: RollcallError]>()
  const report = (error: RollcallError, otherwise = reportUncaught): void => {
    if (listeners.size > 0) listeners.emit(reportThrown, error)
    else otherwise(error)
  }
  return {
    add: (listener) => listeners.add(listener),
    report,
    // oxlint-disable-next-line no-console
    log: (error) => report(error, console.error),
    failed: (cause) => report(callbackFailed(cause)),
  }
}

/** Writes a line for the developer of a page to the console. */
export const warn = (text: string): void => {
  // oxlint-disable-next-line no-console
  console.warn(`rollcall: ${text}`)
}

const callbackFailed = (cause: unknown): RollcallError =>
  new RollcallError("callback_failed", "a callback threw", { cause })

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
