/**
 * Notices that a connection is dead, and replaces it. A network that is gone sends no close event: only a message that is not
 * answered shows it.
 */
import type { Undo } from "../listeners.ts"
import { setUnref, type Timers } from "../timers.ts"
import type { Socket } from "./phoenix.ts"
import type { Rooms } from "./rooms.ts"
import { pageSignals, type Signal, type Signals } from "./signals.ts"

/** The default of `heartbeatIntervalMs`. */
const HEARTBEAT_MS = 15_000
/** How long the answer to a heartbeat may take, in milliseconds, or one interval. Behind a large message it may take a while. */
const ANSWER_MS = 10_000
/** How long the answer may take if there is a reason for doubt, in milliseconds. */
const PROBE_MS = 3_000
/** How long after `offline` a probe is sent, in milliseconds: a connection that has survived is live again. */
const OFFLINE_PROBE_MS = 1_000
/** The time between attempts to connect while the device reports that it has no network, in milliseconds. */
const OFFLINE_RETRY_MS = 60_000
/** A timer that fires later than this many milliseconds was held up, and with it perhaps the answer. */
const LATE_MS = 1_000

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

export class Liveness {
  readonly #socket: Socket
  readonly #rooms: Rooms
  readonly #timers: Timers
  readonly #options: LivenessOptions
  readonly #setOpen: (isOpen: boolean) => void
  readonly #wallClock: () => number
  readonly #intervalMs: number
  #undo: Undo | undefined
  /** Whether the device reports that it has no network, and nothing has arrived since. */
  #isOffline = false
  /** When the last heartbeat was sent or the connection was made, by the wall clock: it goes on while the device sleeps. */
  #sentAt = 0
  /** Until when a heartbeat must be answered, by the monotonic clock. */
  #due = Infinity
  #deadline: unknown
  #timer: unknown

  /**
   * @param setOpen called with false when the connection is in doubt or given up, with true when it has proved to be alive
   * @param wallClock returns milliseconds of a clock that goes on while the device sleeps
   */
  constructor(
    socket: Socket,
    rooms: Rooms,
    timers: Timers,
    options: LivenessOptions,
    setOpen: (isOpen: boolean) => void,
    wallClock: () => number = Date.now,
  ) {
    this.#socket = socket
    this.#rooms = rooms
    this.#timers = timers
    this.#options = options
    this.#setOpen = setOpen
    this.#wallClock = wallClock
    this.#intervalMs = options.heartbeatIntervalMs || HEARTBEAT_MS
    socket.onOpen(() => {
      this.#sentAt = wallClock()
      this.#answered()
      this.#tick()
    })
    // phoenix.js has planned its next attempt, which would fail as well.
    socket.onClose(() => this.#isOffline && socket.disconnect())
  }

  /** Connects. */
  start(): void {
    this.#undo = (this.#options.signals ?? pageSignals)((signal) => this.#onSignal(signal))
    this.#reopen("resumed")
  }

  /** Closes the connection, for the time being or for good. */
  stop(): void {
    this.#undo?.()
    this.#undo = undefined
    this.#timers.clear(this.#timer)
    this.#timers.clear(this.#deadline)
    this.#due = Infinity
    this.#socket.disconnect()
  }

  #onSignal(signal: Signal): void {
    const socket = this.#socket
    if (signal !== "awake") this.#isOffline = signal === "offline"
    if (signal !== "offline") {
      if (socket.isConnected()) this.#probe()
      else if (signal === "online" || socket.connectionState() === "closed") this.#reopen(signal)
    } else if (socket.isConnected()) {
      setUnref(this.#timers, () => this.#probe(), OFFLINE_PROBE_MS)
      this.#rooms.doubt(true)
      this.#setOpen(false)
    } else if (socket.connectionState() === "closed") socket.disconnect()
  }

  /** Three times in an interval: sends a heartbeat if it is time, by a clock that has not stopped in a sleep of the device. */
  #tick(): void {
    const third = this.#intervalMs / 3
    // The wall clock may be set back.
    const elapsed = Math.abs(this.#wallClock() - this.#sentAt)
    if (this.#socket.isConnected()) {
      if (elapsed > 5 * third) this.#probe()
      else if (elapsed > 2.5 * third) {
        // Long polls are heartbeats by themselves.
        if (this.#socket.conn?.skipHeartbeat) this.#sentAt = this.#wallClock()
        else this.#probe(Math.min(this.#intervalMs, ANSWER_MS))
      }
    } else if (this.#isOffline && elapsed >= OFFLINE_RETRY_MS) this.#reopen("offline")
    this.#timers.clear(this.#timer)
    this.#timer = setUnref(this.#timers, () => this.#tick(), third)
  }

  /** Sends a heartbeat. If it is not answered in time, the connection is closed, and opened again at once. */
  #probe(ms = PROBE_MS, isSecond = false): void {
    const due = this.#timers.now() + ms
    if (due >= this.#due || !this.#socket.isConnected()) return
    this.#sentAt = this.#wallClock()
    this.#due = due
    this.#timers.clear(this.#deadline)
    this.#deadline = setUnref(
      this.#timers,
      () => {
        this.#due = Infinity
        if (!isSecond && this.#timers.now() > due + LATE_MS) this.#probe(PROBE_MS, true)
        else if (this.#socket.isConnected()) this.#reopen("heartbeat_timeout", !this.#isOffline)
      },
      ms,
    )
    // A transport may answer before `ping` returns.
    this.#socket.ping(() => this.#answered())
  }

  #answered(): void {
    this.#timers.clear(this.#deadline)
    this.#due = Infinity
    this.#isOffline = false
    this.#setOpen(true)
    this.#rooms.doubt(false)
  }

  /** Gives up the connection or the attempt to connect, and makes an attempt at once: delays begin anew. */
  #reopen(reason: string, connects = true): void {
    const detail = { source: "transport", reason }
    this.#sentAt = this.#wallClock()
    this.#rooms.hold(detail)
    this.#socket.disconnect()
    // A listener may have paused the connection, or closed it.
    if (!this.#undo) return
    if (connects) this.#socket.connect()
    this.#rooms.release()
    this.#setOpen(false)
    this.#rooms.interrupt(detail)
  }
}
