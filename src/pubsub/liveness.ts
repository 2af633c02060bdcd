import { setUnref, type Timers } from "../timers.ts"

/** The options of every engine that pings its server. */
export interface LivenessTiming {
  /** How often the server is pinged, in ms; 1000 by default. */
  readonly pingIntervalMs?: number
  /** How long the answer to a ping may take, in ms; 3000 by default. After that the engine reconnects. */
  readonly pingTimeoutMs?: number
}

/** The options of a `Liveness`. */
export interface LivenessOptions extends Required<LivenessTiming> {
  readonly timers: Timers
  /** Sends a ping. Settles once the server has answered; an error is an answer, too. */
  ping(): Promise<unknown>
  /** Called once when an answer is overdue. */
  onLost(): void
}

/**
 * Pings the server of one connection, and reports when it stops answering.
 *
 * A timeout of the socket cannot do that: the pings themselves, and every other write, extend it, while the server
 * is suspended or one direction of the connection is dead.
 */
export class Liveness {
  readonly #options: LivenessOptions
  #timer: unknown
  #dueAt = 0
  #answeredAt: number
  /** When the unanswered ping was sent; `undefined` if there is none. */
  #askedAt: number | undefined

  constructor(options: LivenessOptions) {
    this.#options = options
    this.#answeredAt = options.timers.now()
    this.#schedule(options.pingIntervalMs)
  }

  /** How long the server has been silent, in ms. It is 0 unless a ping is unanswered. */
  get unansweredMs(): number {
    return this.#askedAt === undefined ? 0 : this.#options.timers.now() - this.#answeredAt
  }

  /**
   * Records an answer of the server. A message of another node is none: it still arrives when the connection carries nothing
   * to the server any more.
   */
  received(): void {
    if (this.#askedAt === undefined) return
    this.#askedAt = undefined
    this.#answeredAt = this.#options.timers.now()
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
    this.#timer = undefined
  }

  #schedule(ms: number): void {
    this.#dueAt = this.#options.timers.now() + ms
    this.#timer = setUnref(this.#options.timers, () => this.#check(), ms)
  }

  #check(): void {
    const { timers, pingIntervalMs, pingTimeoutMs } = this.#options
    const now = timers.now()
    if (this.#askedAt === undefined) {
      this.#ask(now)
    } else {
      // While this process was suspended or blocked, it could not read an answer that may have arrived long ago.
      this.#askedAt += Math.max(0, now - this.#dueAt)
      if (now - this.#askedAt >= pingTimeoutMs) {
        this.#timer = undefined
        return this.#options.onLost()
      }
    }
    const left = this.#askedAt === undefined ? pingIntervalMs : this.#askedAt + pingTimeoutMs - now
    this.#schedule(Math.min(pingIntervalMs, left))
  }

  #ask(now: number): void {
    this.#askedAt = now
    const answered = (): void => this.received()
    this.#options.ping().then(answered, answered)
  }
}
