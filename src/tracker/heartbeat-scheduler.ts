import { setUnref, type Timers } from "../timers.ts"

/** The options of a heartbeat scheduler. */
export interface HeartbeatSchedulerOptions {
  readonly broadcastPeriodMs: number
  readonly timers: Timers
  readonly random: () => number
}

/** The callbacks of a heartbeat scheduler. */
export interface HeartbeatSchedulerEvents {
  /** Returns the next time at which a node's silence reaches a timeout; infinity if there is none. */
  nextDeadline(): number
  /** It is time to check which nodes have been silent for too long. */
  checkTimeouts(now: number): void
  /** A broadcast period begins. */
  periodStarted(): void
  /** This node could not run or receive for `ms`. The silence of others in this time proves nothing (D11). */
  absenceEnded(ms: number, now: number): void
}

/**
 * Decides when a node sends heartbeats and when it checks the silence of others. It also detects when this node itself
 * was absent (D11).
 *
 * One timer serves all of it. If the timer fires more than a period late, the process has been stopped or blocked. Then
 * the deadlines of the others are extended by that time, and no node is timed out until one further period has passed.
 * The time without a connection to the bus is an absence as well.
 */
export class HeartbeatScheduler {
  readonly #options: HeartbeatSchedulerOptions
  readonly #events: HeartbeatSchedulerEvents
  #timer: unknown
  /** When the timer is to fire; infinity while the scheduler is stopped. */
  #wakeAt = Infinity
  /** When the next period begins. */
  #periodAt = Infinity
  /** No timeouts are checked before this time. */
  #checksFrom = -Infinity
  /** When the current suspension began, if there is one. */
  #suspendedAt: number | undefined

  constructor(options: HeartbeatSchedulerOptions, events: HeartbeatSchedulerEvents) {
    this.#options = options
    this.#events = events
  }

  /** Starts, or starts again after `suspend`. */
  start(): void {
    const now = this.#options.timers.now()
    if (this.#suspendedAt !== undefined) this.#reportAbsence(now - this.#suspendedAt, now)
    this.#suspendedAt = undefined
    // Without the random part, nodes that reconnect together would send their heartbeats at the same moments from then
    // on.
    this.#periodAt = now + this.#options.broadcastPeriodMs * (1 - this.#options.random() / 4)
    this.#setTimer()
  }

  /** Stops while the bus is not connected. The time until `start` counts as an absence. */
  suspend(): void {
    this.#suspendedAt ??= this.#runningUntil(this.#options.timers.now())
    this.stop()
  }

  stop(): void {
    this.#options.timers.clear(this.#timer)
    this.#wakeAt = Infinity
  }

  /**
   * Detects whether the process was stopped. To be called when a message arrives, since messages can be delivered
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
   * Returns the time up to which the process has certainly been running: `now`, or earlier if the timer is late. `now`
   * is a parameter, since a real clock moves on between two readings.
   */
  #runningUntil(now: number): number {
    const { broadcastPeriodMs } = this.#options
    // The timer may have been set a whole period before it was due, and the process may have been stopped right after
    // that.
    return now - this.#wakeAt > broadcastPeriodMs ? this.#wakeAt - broadcastPeriodMs : now
  }

  #wake(): void {
    const now = this.#options.timers.now()
    this.detectPause(now)
    if (now >= this.#checksFrom) this.#events.checkTimeouts(now)
    if (now >= this.#periodAt) {
      this.#periodAt = now + this.#options.broadcastPeriodMs
      this.#events.periodStarted()
    }
    // A callback may have stopped the scheduler.
    if (this.#wakeAt !== Infinity) this.#setTimer()
  }

  #setTimer(): void {
    const now = this.#options.timers.now()
    this.#options.timers.clear(this.#timer)
    const deadline = Math.max(this.#events.nextDeadline(), this.#checksFrom)
    this.#wakeAt = Math.max(now, Math.min(this.#periodAt, deadline))
    this.#timer = setUnref(this.#options.timers, () => this.#wake(), this.#wakeAt - now)
  }
}
