/**
 * Shows the others that a person is away: nobody has used the device for a while, or the page has been hidden.
 *
 * ```ts
 * import { idle } from "rollcall/idle"
 *
 * const watch = idle(room) // sets the field `away` of our own meta
 * merged(room.get("ada")).away // true if all devices of ada are away
 * ```
 *
 * @packageDocumentation
 */
import { ConfigError, kindOf } from "../error.ts"
import { guard, type Undo } from "../listeners.ts"
import { systemClock, type Timers } from "../timers.ts"
import { PRESENCE_UPDATE } from "../wire/events.ts"
import { pageActivity, type Activity, type ActivityEvent } from "./activity.ts"
import { reportThrown } from "./callback-errors.ts"
import { checkNumbers } from "./option-checks.ts"

export type { Activity, ActivityEvent } from "./activity.ts"

/** Options of `idle`. */
export interface IdleOptions {
  /** After how long without an input the person is away, in milliseconds. Default 300 000, 5 minutes. */
  readonly afterMs?: number | undefined
  /** After how long in the background the person is away, in milliseconds; 0: at once. Default 60 000. */
  readonly hiddenAfterMs?: number | undefined
  /**
   * The field of our own meta that is set. Default `"away"`, which `merged` shows only if all devices have it. If the field has a value
   * already, such as a status that the person chose, it stays as it is.
   */
  readonly field?: string | undefined
  /** The value of the field while the person is away; then the field is removed. Default `true`. */
  readonly away?: string | number | boolean | undefined
  /**
   * Fields to send when the page is left, just before its connection closes: others see them while a grace period hides the leave, and
   * on a user that is kept as left. When the page comes back, its meta is as before. Needs `connection`. Default: none, only the leave.
   */
  readonly leaving?: object | undefined
  /** The connection of the rooms. */
  readonly connection?: { onPageHide(listener: () => void): Undo } | undefined
  /** The event that carries `leaving`. Default `"presence_update"`, as for `connection.room`. */
  readonly updateEvent?: string | undefined
  /** Called when the person goes away, and when they are back. */
  readonly onChange?: ((isAway: boolean) => void) | undefined
  /**
   * Where inputs come from. Default: the events of the page. In React Native:
   *
   * ```ts
   * const activity = (notify) => {
   *   const app = AppState.addEventListener("change", (state) => {
   *     if (state !== "inactive") notify(state === "active" ? "active" : "hidden")
   *   })
   *   return () => app.remove()
   * }
   * ```
   */
  readonly activity?: Activity | undefined
  /** The clock. Default: the platform's. */
  readonly timers?: Pick<Timers, "now" | "set" | "clear"> | undefined
}

/** What `idle` needs of a room. A `Room` of any fields has it. */
export interface IdleRoom {
  readonly status: string
  update(patch: never): unknown
  push(event: string, payload: object): unknown
}

/** The watch over one device. */
export interface Idle {
  readonly isAway: boolean
  /** Counts as an input. For what a page does not report: a game pad, an input in a frame of another origin, a running call. */
  active(): void
  /** Ends the watch. The field is put back, and all listeners and timers are removed. */
  stop(): void
}

/**
 * Watches the person at this device, and sets a field of our own meta while they are away.
 *
 * A window that has lost the focus is not away. On a server, which has no page, nobody goes away.
 *
 * @param rooms one room, or a list that is read at each change
 * @throws ConfigError for a time that is no delay, and for what is no room, such as the ref or the accessor of one
 */
export function idle(rooms: IdleRoom | readonly IdleRoom[], options: IdleOptions = {}): Idle {
  const { afterMs = 300_000, hiddenAfterMs = 60_000, field = "away", away = true, onChange } = options
  const { leaving, connection, updateEvent = PRESENCE_UPDATE, activity = pageActivity, timers = systemClock } = options
  checkNumbers(options)
  for (const room of [rooms].flat() as (IdleRoom | undefined)[])
    if (!room?.update) throw new ConfigError(`expected a room, or a list of rooms, got ${kindOf(room)}`)
  /** The rooms whose field we have set. */
  const changed = new Set<IdleRoom>()
  let isAway = false
  let inputAt = timers.now()
  let hiddenAt = Infinity
  let timer: unknown
  /** False after `stop`, and where there is nobody to watch: then `active` must not start a timer. */
  let isWatching = true

  /** Calls `run` for each open room. What it throws is reported as an uncaught error, and the other rooms go on. */
  const each = (run: (room: IdleRoom) => unknown): void => {
    for (const room of [rooms].flat()) if (room.status !== "closed") guard(reportThrown, () => void run(room))
  }

  const set = (next: boolean): void => {
    if (isAway === next) return
    isAway = next
    each((room) =>
      room.update(((mine: Record<string, unknown>) => {
        const now = mine[field]
        // A server that does not know `remove` keeps a removed field as `null`.
        if (next ? (now ?? changed.add(room)) === changed : changed.delete(room) && now === away)
          return { [field]: next ? away : undefined }
        return {}
      }) as never),
    )
    guard(reportThrown, () => onChange?.(next))
  }

  /** Compares times, because a timer may be late: a hidden page has slow ones, and a frozen page none. */
  const check = (): void => {
    timers.clear(timer)
    if (!isWatching) return
    const restMs = Math.min(inputAt + afterMs, hiddenAt + hiddenAfterMs) - timers.now()
    if (restMs > 0) timer = timers.set(check, restMs)
    set(restMs <= 0)
  }

  const notify = (event: ActivityEvent): void => {
    const now = timers.now()
    if (event === "freeze") hiddenAt = -Infinity
    else if (event === "hidden") hiddenAt = Math.min(hiddenAt, now)
    else {
      inputAt = now
      hiddenAt = Infinity
    }
    check()
  }

  const undo = activity(notify)
  isWatching = !!undo
  check()
  const undoLeaving =
    leaving &&
    connection?.onPageHide(() => {
      // Not by `update`, which waits for its interval, and for the reply to the one before.
      each((room) => room.push(updateEvent, { meta: leaving }))
    })

  return {
    get isAway() {
      return isAway
    },
    active: () => notify("active"),
    stop() {
      if (isWatching) undo!()
      isWatching = false
      undoLeaving?.()
      timers.clear(timer)
      set(false)
    },
  }
}
