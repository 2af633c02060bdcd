import { setUnref, type Timers } from "../timers.ts"

/** The number of nodes up to which own changes are collected for `deltaWindowMs`; with more of them, for longer. */
const FEW_NODES = 16
/** For how long own changes are collected at most because of the number of nodes, in ms. */
const MAX_GROWN_MS = 1000

/** The options of a delta window. */
export interface DeltaWindowOptions {
  readonly timers: Timers
  readonly deltaWindowMs: number
}

/**
 * The time in which own changes are collected, so that many changes at once are sent as one delta.
 *
 * It grows with the number of nodes, so that each node gets at most some 320 deltas a second with the default window. With
 * 100 busy nodes, it would be 2 000.
 */
export class DeltaWindow {
  readonly #options: DeltaWindowOptions
  readonly #closed: () => void
  #timer: unknown

  /** @param closed called when the window closes */
  constructor(options: DeltaWindowOptions, closed: () => void) {
    this.#options = options
    this.#closed = closed
  }

  /** Opens the window, unless it is open. `nodes` is the number of nodes, this one included. */
  open(nodes: number): void {
    const { timers, deltaWindowMs } = this.#options
    const grownMs = Math.min((deltaWindowMs * nodes) / FEW_NODES, MAX_GROWN_MS)
    this.#timer ??= setUnref(timers, () => this.#close(), Math.max(deltaWindowMs, grownMs))
  }

  /** Closes the window now, if it is open. */
  closeEarly(): void {
    if (this.#timer === undefined) return
    this.stop()
    this.#closed()
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
    this.#timer = undefined
  }

  #close(): void {
    this.#timer = undefined
    this.#closed()
  }
}
