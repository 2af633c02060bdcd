import type { Timers } from "../timers.ts"
import type { Logger } from "./logger.ts"

const MINUTE_MS = 60_000
/** How many names are logged within a minute. A scanner asks for thousands of paths. */
const MAX_A_MINUTE = 10
/** How many logged names are remembered, so that a client that tries again and again is logged once. */
const MAX_REMEMBERED = 1_000
const MAX_LENGTH = 100

/** Logs names that clients sent and the program does not know, such as paths: each name once, and not more than ten a minute. */
export class UnknownNames {
  readonly #timers: Pick<Timers, "now">
  readonly #log: (name: string, unlogged: number) => void
  readonly #remembered = new Set<string>()
  #minute = Number.NEGATIVE_INFINITY
  #loggedThisMinute = 0
  #unlogged = 0

  /** @param log gets a name, and how many were not logged since the last call because there were too many */
  constructor(timers: Pick<Timers, "now">, log: (name: string, unlogged: number) => void) {
    this.#timers = timers
    this.#log = log
  }

  add(requested: string): void {
    // oxlint-disable-next-line no-control-regex -- they are what must not get into a log
    const name = requested.slice(0, MAX_LENGTH).replace(/[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g, "?")
    if (this.#remembered.has(name)) return
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
    this.#remembered.add(name)
    this.#log(name, this.#unlogged)
    this.#unlogged = 0
  }
}

/**
 * Returns a function that logs unknown names of one kind.
 * @param kind what the names are, such as `path`: the name of the field among the details
 * @param known returns further details, such as the names that are known
 */
export function logUnknown(
  kind: string,
  message: string,
  { timers, logger }: { readonly timers: Pick<Timers, "now">; readonly logger: Logger },
  known?: () => object,
): (name: string) => void {
  const names = new UnknownNames(timers, (name, unlogged) => {
    logger.warn(message, { [kind]: name, ...known?.(), ...(unlogged > 0 && { unlogged }) })
  })
  return (name) => names.add(name)
}
