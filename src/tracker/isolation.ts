import { ConfigError } from "../error.ts"
import { setUnref, type Timers } from "../timers.ts"

/** The options of an isolation. */
export interface IsolationOptions {
  readonly timers: Timers
  /** How long an isolation may last until the other nodes are hidden, in ms. */
  readonly hideOthersAfterMs: number
}

/**
 * The time in which this node has no connection to the bus, and cannot know who is still there.
 *
 * By default nothing is hidden, because a bus is mostly back soon. Otherwise each restart of it would make all users of other nodes leave and join.
 */
export class Isolation {
  readonly #options: IsolationOptions
  readonly #hideOthers: () => void
  #timer: unknown

  constructor(options: IsolationOptions, hideOthers: () => void) {
    this.#options = options
    this.#hideOthers = hideOthers
  }

  /** @param unansweredMs for how long the bus had not answered before */
  began(unansweredMs: number): void {
    const { timers, hideOthersAfterMs } = this.#options
    if (this.#timer !== undefined || hideOthersAfterMs === Infinity) return
    this.#timer = setUnref(timers, this.#hideOthers, Math.max(0, hideOthersAfterMs - unansweredMs))
  }

  ended(): void {
    this.#options.timers.clear(this.#timer)
    this.#timer = undefined
  }
}

/**
 * Returns how long an isolation may last until the other nodes are hidden, in ms; `Infinity` if the option is missing.
 * @throws ConfigError for a value that is not a number above 0
 */
export function hideDelayOf({
  hideOthersAfterMs = Infinity,
}: {
  readonly hideOthersAfterMs?: number | undefined
}): number {
  const isTime = typeof hideOthersAfterMs === "number" && hideOthersAfterMs > 0
  if (isTime && (hideOthersAfterMs === Infinity || hideOthersAfterMs < 2 ** 31)) return hideOthersAfterMs
  throw new ConfigError(
    `expected hideOthersAfterMs to be a number of milliseconds above 0, or Infinity, got ${String(hideOthersAfterMs)}`,
  )
}
