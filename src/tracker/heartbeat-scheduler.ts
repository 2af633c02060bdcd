import { setUnref, type Timers } from "../timers.ts"

/** What a pulse is given. */
export interface HeartbeatSchedulerOptions {
  readonly broadcastPeriodMs: number
  readonly timers: Timers
  readonly random: () => number
}

/** What a pulse tells. */
export interface HeartbeatSchedulerEvents {
  /** When silence is next to be judged; infinite when there is nobody. */
  deadline(): number
  /** Silence may be judged. */
  judge(now: number): void
  /** A period begins. */
  period(): void
  /** We have been away for so long, and what we did not hear then was no silence (D11). */
  absent(ms: number, now: number): void
}

/**
 * When a node speaks and when it judges others' silence: a period, deadlines, and one's own absences (D11).
 *
 * One timer serves all. When it comes late by more than a period, the process has been stopped or blocked: the time is
 * forgiven, and nobody is judged until one further period has passed. A lost engine is an absence as well.
 */
export class HeartbeatScheduler {
  readonly #options: HeartbeatSchedulerOptions
  readonly #events: HeartbeatSchedulerEvents
  #timer: unknown
  /** When the timer is to fire. */
  #wakeAt = Infinity
  /** When the next period begins. */
  #periodAt = Infinity
  #judgeFrom = -Infinity
  /** Since when the engine has been away. */
  #awayFrom: number | undefined

  constructor(options: HeartbeatSchedulerOptions, events: HeartbeatSchedulerEvents) {
    this.#options = options
    this.#events = events
  }

  /** Begins to beat, or begins anew after `suspend`. */
  start(): void {
    const now = this.#options.timers.now()
    if (this.#awayFrom !== undefined) this.#forgive(now - this.#awayFrom, now)
    this.#awayFrom = undefined
    // Nodes that came back together, as after an engine's restart, would speak together ever after.
    this.#periodAt = now + this.#options.broadcastPeriodMs * (1 - this.#options.random() / 4)
    this.#arm()
  }

  /** Stops while there is nobody to be heard; the time until `start` is an absence. */
  suspend(): void {
    this.#awayFrom ??= this.#presentUntil(this.#options.timers.now())
    this.stop()
  }

  /** Stops. */
  stop(): void {
    this.#options.timers.clear(this.#timer)
    this.#wakeAt = Infinity
  }

  /** Notices that the process was stopped, by the first thing that happens in it again; to be called when a message comes. */
  notice(now: number = this.#options.timers.now()): void {
    const until = this.#presentUntil(now)
    if (until === now) return
    this.#wakeAt = now
    this.#periodAt = now
    this.#forgive(now - until, now)
  }

  #forgive(absence: number, now: number): void {
    this.#judgeFrom = now + this.#options.broadcastPeriodMs
    this.#events.absent(absence, now)
  }

  /** Until when the process was sure to run: `now`, read once, as a real clock moves between two looks; earlier if the timer is late. */
  #presentUntil(now: number): number {
    const { broadcastPeriodMs } = this.#options
    // The last sign of our own life may be a period older than the moment that was missed.
    return now - this.#wakeAt > broadcastPeriodMs ? this.#wakeAt - broadcastPeriodMs : now
  }

  #wake(): void {
    const now = this.#options.timers.now()
    this.notice(now)
    if (now >= this.#judgeFrom) this.#events.judge(now)
    if (now >= this.#periodAt) {
      this.#periodAt = now + this.#options.broadcastPeriodMs
      this.#events.period()
    }
    // Whoever was told may have stopped us.
    if (this.#wakeAt !== Infinity) this.#arm()
  }

  #arm(): void {
    const now = this.#options.timers.now()
    this.#options.timers.clear(this.#timer)
    const deadline = Math.max(this.#events.deadline(), this.#judgeFrom)
    this.#wakeAt = Math.max(now, Math.min(this.#periodAt, deadline))
    this.#timer = setUnref(this.#options.timers, () => this.#wake(), this.#wakeAt - now)
  }
}
