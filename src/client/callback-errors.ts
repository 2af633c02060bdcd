/** Where errors go that have no caller: what a callback throws, and what the server does wrong. */
import { RollcallError } from "../error.ts"
import { Listeners, type Undo } from "../listeners.ts"

/** The error that reports what a callback threw: `callback_failed`, with the thrown value as its cause. */
export const callbackFailed = (cause: unknown): RollcallError =>
  new RollcallError("callback_failed", "a callback threw", { cause })

/** Runs a callback; what it throws goes to `report` as `callback_failed`. */
export function guard(report: (error: RollcallError) => void, run: () => void): void {
  try {
    run()
  } catch (cause) {
    report(callbackFailed(cause))
  }
}

/** The listeners of errors. With none, errors go where the platform reports uncaught ones. */
export class Errors {
  readonly #listeners = new Listeners<[error: RollcallError]>()

  add(listener: (error: RollcallError) => void): Undo {
    return this.#listeners.add(listener)
  }

  readonly report = (error: RollcallError): void => {
    if (this.#listeners.size === 0) reportUncaught(error)
    else this.#listeners.emit((cause) => reportUncaught(callbackFailed(cause)), error)
  }
}

/** Reports an error as the platform does uncaught ones. Throwing it would end up in the transport. */
export function reportUncaught(error: unknown): void {
  // Not every platform has `reportError`.
  // oxlint-disable-next-line no-console
  const report = globalThis.reportError ?? console.error
  report(error)
}
