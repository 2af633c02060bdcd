import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"

/** The calls of this node that wait until a process runs somewhere again. */
export class HeldCalls {
  readonly #timers: Timers
  readonly #max: number
  readonly #held = new Set<{ readonly id: string; readonly wake: () => void }>()

  constructor(timers: Timers, max: number) {
    this.#timers = timers
    this.#max = max
  }

  get isFull(): boolean {
    return this.#held.size >= this.#max
  }

  /** Resolves when something changes for the id, after a time, or when the signal aborts. */
  async wait(id: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#held.delete(held)
        this.#timers.clear(timer)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      const held = { id, wake }
      this.#held.add(held)
      const timer = setUnref(this.#timers, wake, ms)
      signal?.addEventListener("abort", wake, { once: true })
    })
  }

  /** Lets the calls to an id, or all of them, try again. */
  wake(id?: string): void {
    for (const held of Array.from(this.#held)) if (id === undefined || held.id === id) held.wake()
  }
}
