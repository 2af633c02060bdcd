/** Callbacks, several for each event: one that throws harms neither the others nor the frame that called it. */
import { RollcallError } from "./error.ts"

/** Takes back what the call that returned it did; harmless when called again. */
export type Undo = () => void

/** The listeners of one event, in the order in which they were added. The same function added twice is called twice. */
export class Listeners<Args extends readonly unknown[]> {
  readonly #entries = new Set<{ readonly run: (...args: Args) => void }>()

  get size(): number {
    return this.#entries.size
  }

  add(run: (...args: Args) => void): Undo {
    const entry = { run }
    this.#entries.add(entry)
    return () => void this.#entries.delete(entry)
  }

  /** Calls each listener that is there when its turn comes; what one throws goes to `report` as `callback_failed`. */
  emit(report: (error: RollcallError) => void, ...args: Args): void {
    for (const entry of Array.from(this.#entries)) {
      if (!this.#entries.has(entry)) continue
      // What is no function is no listener: phoenix.js takes a `null` for one.
      guard(report, () => entry.run?.(...args))
    }
  }
}

/** Runs a callback; what it throws goes to `report` as `callback_failed`, with the error as its cause. */
export function guard(report: (error: RollcallError) => void, run: () => void): void {
  try {
    run()
  } catch (cause) {
    report(new RollcallError("callback_failed", "a callback threw", { cause }))
  }
}

/** Where errors go that no caller waits for: to the listeners, or, with none, where the platform reports uncaught errors. */
export class Errors {
  readonly #listeners = new Listeners<[error: RollcallError]>()

  add(run: (error: RollcallError) => void): Undo {
    return this.#listeners.add(run)
  }

  readonly report = (error: RollcallError): void => {
    if (this.#listeners.size === 0) reportUncaught(error)
    else this.#listeners.emit(reportUncaught, error)
  }
}

/** Reports as the platform does what nobody caught: not every one has `reportError`, and throwing would end in the transport. */
export function reportUncaught(error: RollcallError): void {
  // oxlint-disable-next-line no-console
  const report = globalThis.reportError ?? console.error
  report(error)
}
