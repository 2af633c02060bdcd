/**
 * Notices that a connection is dead, and replaces it. A network that is gone sends no close event: only a message that is not
 * answered shows it.
 */
import type { Undo } from "../listeners.ts"
import type { Clock } from "../timers.ts"
import type { Trace } from "./debug.ts"
import type { Socket } from "./phoenix.ts"
import type { Rooms } from "./rooms.ts"
import { pageSignals, type Signal, type Signals } from "./signals.ts"

/** The default of `heartbeatIntervalMs`. */
const HEARTBEAT_MS = 15_000
/** How long the answer to a heartbeat may take at most, in milliseconds: it may come behind a large message. */
const ANSWER_MS = 10_000
/** How long the answer may take if there is a reason for doubt, in milliseconds. */
const PROBE_MS = 3_000
/** How long after `offline` a probe is sent, in milliseconds. Rooms are stale meanwhile. */
const OFFLINE_PROBE_MS = 1_000
/** The time between attempts to connect while the device reports that it has no network, in milliseconds. */
const OFFLINE_RETRY_MS = 60_000

/** Why a connection is made that was not there before. */
const RESUMED = "resumed"

/** Options of `connect` about a connection that may be dead. */
export type LivenessOptions = {
  /**
   * Milliseconds between heartbeats. A connection is given up if the answer takes more than 10 s, or more than one interval.
   * Default 15 000.
   */
  heartbeatIntervalMs?: number | undefined
  /**
   * Where the connection learns that the network is gone or back, and that the app is in front again. Default: the events of
   * the page. In React Native:
   *
   * ```ts
   * const signals = (notify) => {
   *   const app = AppState.addEventListener("change", (state) => state === "active" && notify("awake"))
   *   const stop = NetInfo.addEventListener(({ isConnected }) => notify(isConnected === false ? "offline" : "online"))
   *   return () => { app.remove(); stop() }
   * }
   * ```
   */
  signals?: Signals | undefined
}

export interface Liveness {
  /** Connects, and watches the connection. */
  start(): void
  /** Closes the connection, for the time being or for good. */
  stop(): void
}

/**
 * Returns what keeps one socket connected.
 *
 * @param setOpen called with false when the connection is in doubt or given up, with true when it has proved to be alive
 * @param resetDelays called when the next attempts may succeed although the last ones failed
 * @param wallClock returns milliseconds of a clock that goes on while the device sleeps
 */
export function createLiveness(
  socket: Socket,
  rooms: Rooms,
  timers: Clock,
  options: LivenessOptions,
  setOpen: (isOpen: boolean) => void,
  resetDelays: () => void,
  trace: Trace,
  wallClock: () => number = Date.now,
): Liveness {
  const intervalMs = options.heartbeatIntervalMs || HEARTBEAT_MS
  const third = intervalMs / 3
  let undo: Undo | undefined
  /** Whether the device reports that it has no network, and nothing has shown otherwise. */
  let isOffline = false
  /** When the last heartbeat was sent, or the last attempt to connect began, by the wall clock. */
  let sentAt = 0
  /** Until when a heartbeat must be answered, by the monotonic clock. */
  let due = Infinity
  let deadline: unknown
  let timer: unknown

  /** A listener may have paused the connection meanwhile, or closed it. */
  const isStopped = (): boolean => !undo

  /** Gives up the connection or the attempt to connect, and makes an attempt at once. */
  const reopen = (reason: string, connects = true): void => {
    const detail = { source: "transport", reason }
    const isNews = socket.isConnected() || reason === RESUMED
    trace("", "connects:", reason)
    sentAt = wallClock()
    rooms.hold(detail)
    socket.disconnect()
    if (isStopped()) return
    resetDelays()
    if (connects) socket.connect()
    rooms.hold(undefined)
    setOpen(false)
    if (isNews && !isStopped()) rooms.interrupt(detail)
  }

  /**
   * Called anew at each answer: browsers slow the timers of a hidden page to one a minute if they are a chain of five or more,
   * each set by the one before. A Phoenix server would then close the connection every minute.
   */
  const schedule = (): void => {
    timers.clear(timer)
    timer = timers.set(tick, third)
  }

  const settle = (): void => {
    timers.clear(deadline)
    due = Infinity
  }

  const answered = (): void => {
    settle()
    isOffline = false
    schedule()
    setOpen(true)
    rooms.interrupt(false, "doubted")
  }

  /** Sends a heartbeat. If it is not answered in time, the connection is closed, and opened again at once. */
  const probe = (ms = PROBE_MS): void => {
    const until = timers.now() + ms
    if (until >= due) return
    timers.clear(deadline)
    due = until
    sentAt = wallClock()
    deadline = timers.set(() => socket.isConnected() && reopen("heartbeat_timeout", !isOffline), ms)
    // A transport may answer before `ping` returns.
    socket.ping(answered)
  }

  /** Three times in an interval: sends a heartbeat if it is time, by a clock that has not stopped in a sleep of the device. */
  const tick = (): void => {
    schedule()
    // The wall clock may be set back.
    const elapsed = Math.abs(wallClock() - sentAt)
    if (!socket.isConnected()) {
      if (isOffline && elapsed >= OFFLINE_RETRY_MS) reopen("offline")
    } else if (elapsed > 5 * third) probe()
    else if (elapsed > 2.5 * third) {
      // Long polls are heartbeats by themselves.
      if (socket.conn?.skipHeartbeat) sentAt = wallClock()
      else probe(Math.min(intervalMs, ANSWER_MS))
    }
  }

  const receive = (signal: Signal): void => {
    const isConnected = socket.isConnected()
    const isClosed = socket.connectionState() === "closed"
    const wasOffline = isOffline
    if (signal !== "awake") isOffline = signal === "offline"
    if (signal !== "offline") {
      if (isConnected) probe()
      // An attempt that began without a network may hang. phoenix.js makes one by itself in a page that comes to the front.
      else if (isClosed || (wasOffline && !isOffline)) reopen(signal)
    } else if (isConnected) {
      settle()
      deadline = timers.set(probe, OFFLINE_PROBE_MS)
      rooms.interrupt(true, "doubted")
      setOpen(false)
    } else if (isClosed) socket.disconnect()
  }

  socket.onOpen(() => {
    // Another listener may have paused the connection, or given it up.
    if (!socket.isConnected()) return
    sentAt = wallClock()
    answered()
  })
  // phoenix.js has planned its next attempt, which would fail as well.
  socket.onClose(() => isOffline && socket.disconnect())

  return {
    start() {
      undo = (options.signals ?? pageSignals)(receive)
      reopen(RESUMED)
    },
    stop() {
      undo?.()
      undo = undefined
      timers.clear(timer)
      settle()
      socket.disconnect()
    },
  }
}
