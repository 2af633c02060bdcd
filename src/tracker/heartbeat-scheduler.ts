import { setUnref, type Timers } from "../timers.ts"

/** The options of a heartbeat scheduler. */
export interface HeartbeatSchedulerOptions {
  readonly broadcastPeriodMs: number
  readonly timers: Timers
  readonly random: () => number
}

/** The callbacks of a heartbeat scheduler. */
export interface HeartbeatSchedulerEvents {
  /** Returns the next time at which the silence of a node reaches a timeout; infinity if there is none. */
  nextDeadline(): number
  /** Returns for how long the bus has not answered, in ms; `undefined` if that is unknown. */
  unansweredMs(): number | undefined
  /** Called when it is time to check which nodes have been silent for too long. */
  checkTimeouts(now: number): void
  /** Called at the beginning of each broadcast period. */
  periodStarted(): void
  /**
   * Called after this node could not run or receive for `ms`. The silence of other nodes in this time does not count
   * (D11).
   */
  absenceEnded(ms: number, now: number): void
}

/**
 * From which time on a bus that does not answer counts as away, in ms. Engines ping their server each second, so an answer
 * is then half a second late.
 */
const UNANSWERED_MS = 1_500
/** How often to look whether the bus answers, in ms. */
const ANSWER_CHECK_MS = 500

/**
 * Decides when a node sends heartbeats and when it checks the silence of others. It also detects when this node itself
 * was absent (D11).
 *
 * One timer serves all purposes. If it fires more than a period late, the process has been stopped or blocked. Then the
 * deadlines of the other nodes are extended by that time, and no timeouts are checked for one more period. The time
 * without a connection to the bus is an absence, too, and so is the time in which the bus does not answer: its server may
 * be suspended, and then all nodes are silent.
 */
export class HeartbeatScheduler {
  readonly #options: HeartbeatSchedulerOptions
  readonly #events: HeartbeatSchedulerEvents
  #timer: unknown
  /** The time for which the timer is set; infinity while the scheduler is stopped. */
  #wakeAt = Infinity
  /** The time at which the next period begins. */
  #periodAt = Infinity
  /** No timeouts are checked before this time. */
  #checksFrom = -Infinity
  /** The time at which the current suspension began; `undefined` if there is none. */
  #suspendedAt: number | undefined
  /** The time since which the bus has not answered; `undefined` while it answers. */
  #unansweredSince: number | undefined

  constructor(options: HeartbeatSchedulerOptions, events: HeartbeatSchedulerEvents) {
    this.#options = options
    this.#events = events
  }

  /** Starts, or starts again after `suspend`. */
  start(): void {
    const now = this.#options.timers.now()
    if (this.#suspendedAt !== undefined) this.#reportAbsence(now - this.#suspendedAt, now)
    this.#suspendedAt = undefined
    // The random part spreads heartbeats. Without it, nodes that reconnect together would from then on send them at the
    // same moments.
    this.#periodAt = now + this.#options.broadcastPeriodMs * (1 - this.#options.random() / 4)
    this.#setTimer()
  }

  /**
   * Stops while the bus is not connected. The time until `start` counts as an absence, and so do the last `unansweredMs`, in
   * which the engine had not answered.
   */
  suspend(unansweredMs = 0): void {
    this.#suspendedAt ??= this.#unansweredSince ?? this.#runningUntil(this.#options.timers.now() - unansweredMs)
    this.#unansweredSince = undefined
    this.stop()
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
    this.#wakeAt = Infinity
  }

  /**
   * Detects whether the process was stopped. To be called for each message that arrives, because messages can be delivered
   * before the late timer fires.
   */
  detectPause(now: number = this.#options.timers.now()): void {
    const until = this.#runningUntil(now)
    if (until === now) return
    this.#wakeAt = now
    this.#periodAt = now
    this.#reportAbsence(now - until, now)
  }

  #reportAbsence(ms: number, now: number): void {
    this.#checksFrom = now + this.#options.broadcastPeriodMs
    this.#events.absenceEnded(ms, now)
  }

  /**
   * Returns the time up to which the process has certainly been running: `now`, or an earlier time if the timer is late.
   * `now` is a parameter, because a real clock advances between two readings.
   */
  #runningUntil(now: number): number {
    const { broadcastPeriodMs } = this.#options
    // A timer may be set a whole period before it is due. The process may have been stopped right after the timer was
    // set.
    return now - this.#wakeAt > broadcastPeriodMs ? this.#wakeAt - broadcastPeriodMs : now
  }

  #wake(): void {
    const now = this.#options.timers.now()
    // After a step back, the clock lacks some of the time for which the timer was set. Otherwise a clock that is set back in
    // every period would stop the heartbeats. Silence is not corrected, so that no node seems silent for longer than it was.
    const missingMs = Math.max(0, this.#wakeAt - now)
    this.#periodAt -= missingMs
    this.#checksFrom -= missingMs
    this.detectPause(now)
    this.#detectUnanswered(now)
    if (now >= this.#checksFrom && this.#unansweredSince === undefined) this.#events.checkTimeouts(now)
    if (now >= this.#periodAt) {
      this.#periodAt = now + this.#options.broadcastPeriodMs
      this.#events.periodStarted()
    }
    // A callback may have stopped the scheduler.
    if (this.#wakeAt !== Infinity) this.#setTimer()
  }

  #detectUnanswered(now: number): void {
    const unansweredMs = this.#events.unansweredMs() ?? 0
    if (unansweredMs >= UNANSWERED_MS) {
      this.#unansweredSince ??= now - unansweredMs
    } else if (this.#unansweredSince !== undefined) {
      this.#reportAbsence(now - this.#unansweredSince, now)
      this.#unansweredSince = undefined
    }
  }

  #setTimer(): void {
    const now = this.#options.timers.now()
    this.#options.timers.clear(this.#timer)
    const lookAt = this.#events.unansweredMs() === undefined ? Infinity : now + ANSWER_CHECK_MS
    const deadline =
      this.#unansweredSince === undefined ? Math.max(this.#events.nextDeadline(), this.#checksFrom) : Infinity
    this.#wakeAt = Math.max(now, Math.min(this.#periodAt, deadline, lookAt))
    this.#timer = setUnref(this.#options.timers, () => this.#wake(), this.#wakeAt - now)
  }
}
