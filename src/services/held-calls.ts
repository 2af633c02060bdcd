import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"

/** The calls of this node that wait until a process runs somewhere again. */
export class HeldCalls {
  readonly #timers: Timers
  readonly #max: number
  /** Id → what lets its calls try again. */
  readonly #held = new Map<string, Set<() => void>>()
  #size = 0

  constructor(timers: Timers, max: number) {
    this.#timers = timers
    this.#max = max
  }

  get isFull(): boolean {
    return this.#size >= this.#max
  }

  /** Resolves when something changes for the id, after a time, or when the signal aborts. */
  async wait(id: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const calls = this.#held.get(id) ?? new Set()
    this.#held.set(id, calls)
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        calls.delete(wake)
        if (calls.size === 0 && this.#held.get(id) === calls) this.#held.delete(id)
        this.#size -= 1
        this.#timers.clear(timer)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      calls.add(wake)
      this.#size += 1
      const timer = setUnref(this.#timers, wake, ms)
      signal?.addEventListener("abort", wake, { once: true })
    })
  }

  /** Lets the calls to an id try again. */
  wake(id: string): void {
    for (const wake of Array.from(this.#held.get(id) ?? [])) wake()
  }

  /** Lets all calls try again. */
  wakeAll(): void {
    for (const id of Array.from(this.#held.keys())) this.wake(id)
  }
}
