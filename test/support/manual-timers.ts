import type { Timers } from "../../src/timers.ts"

/** Time that passes when the test says so. */
export class ManualTimers implements Timers {
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  now(): number {
    return this.#now
  }

  set(run: () => void, ms: number): unknown {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return timer
  }

  clear(timer: unknown): void {
    this.#timers = this.#timers.filter((each) => each !== timer)
  }

  advance(ms: number): void {
    this.#now += ms
    for (const timer of this.#timers.filter(({ at }) => at <= this.#now)) {
      this.clear(timer)
      timer.run()
    }
  }
}
