import type { Timers } from "../../timers.ts"

const MINUTE_MS = 60_000
/** How many paths are logged within a minute. A scanner asks for thousands. */
const MAX_A_MINUTE = 10
/** How many logged paths are remembered, so that a client that tries again and again is logged once. */
const MAX_REMEMBERED = 1_000
const MAX_LENGTH = 100

/** Logs the paths that clients asked for and that no socket serves: each path once, and not more than ten a minute. */
export class UnknownPaths {
  readonly #timers: Pick<Timers, "now">
  readonly #log: (path: string, unlogged: number) => void
  readonly #remembered = new Set<string>()
  #minute = Number.NEGATIVE_INFINITY
  #loggedThisMinute = 0
  #unlogged = 0

  /** @param log gets a path, and how many paths were not logged since the last call because there were too many */
  constructor(timers: Pick<Timers, "now">, log: (path: string, unlogged: number) => void) {
    this.#timers = timers
    this.#log = log
  }

  add(requested: string): void {
    // oxlint-disable-next-line no-control-regex -- they are what must not get into a log
    const path = requested.slice(0, MAX_LENGTH).replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g, "?")
    if (this.#remembered.has(path)) return
    const now = this.#timers.now()
    if (now - this.#minute >= MINUTE_MS) {
      this.#minute = now
      this.#loggedThisMinute = 0
    }
    if (this.#loggedThisMinute >= MAX_A_MINUTE) {
      this.#unlogged += 1
      return
    }
    this.#loggedThisMinute += 1
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear()
    this.#remembered.add(path)
    this.#log(path, this.#unlogged)
    this.#unlogged = 0
  }
}
