import { textOf } from "./engine-refusals.ts"

/** The maximum number of texts that are remembered. Beyond it nothing more is reported, so that no log is flooded. */
const MAX_TEXTS = 100

/** Reports each error text once, until it is cleared. A server that refuses every message would otherwise flood the log. */
export class ReportsOnce {
  readonly #report: (error: unknown) => void
  readonly #texts = new Set<string>()

  constructor(report: (error: unknown) => void) {
    this.#report = report
  }

  report(error: unknown): void {
    const text = textOf(error)
    if (this.#texts.has(text) || this.#texts.size >= MAX_TEXTS) return
    this.#texts.add(text)
    this.#report(error)
  }

  clear(): void {
    this.#texts.clear()
  }
}
