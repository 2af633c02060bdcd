import type { Clock } from "../timers.ts"

/** Whether a room has been without a connection for long. */
export interface Outage {
  readonly isLong: boolean
  /** To be called with each change of whether the room is connected. */
  set(isDown: boolean): void
  /** From when on the outage is long, for the next room of the topic; infinite if there is none. */
  readonly longAt: number
}

/**
 * The time is read from the clock when it is asked for: the timer of a page that was hidden or asleep fires late.
 *
 * @param ms after how many milliseconds an outage is long
 * @param notify called once when an outage has become long
 * @param since `longAt` of the former room of the topic
 */
export function createOutage(timers: Clock, ms: number, notify: () => void, since: number = Infinity): Outage {
  let timer: unknown
  let longAt: number

  const watch = (at: number): void => {
    longAt = at
    timers.clear(timer)
    if (!Number.isFinite(at)) return
    timer = timers.set(
      () => {
        // A timer may fire a little earlier than its time by the clock.
        longAt = -Infinity
        notify()
      },
      Math.max(0, at - timers.now()),
    )
  }

  watch(since)
  return {
    get isLong() {
      return longAt <= timers.now()
    },
    get longAt() {
      return longAt
    },
    set(isDown) {
      if (isDown !== longAt < Infinity) watch(isDown ? timers.now() + ms : Infinity)
    },
  }
}
