/**
 * A connection to a server, and the rooms on it. It creates the Socket for a URL, and the Channel and the Room for each
 * topic.
 */
import { ConfigError, RollcallError } from "../error.ts"
import { systemClock } from "../timers.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { HEARTBEAT_TOPIC } from "../wire/events.ts"
import { SERVER_INFO, type ServerInfo } from "../wire/introduction.ts"
import { Errors, reportThrown } from "./callback-errors.ts"
import type { ConnectionReason, ConnectOptions } from "./connect-options.ts"
import { parseEndpoint } from "./endpoint.ts"
import { createFlow } from "./flow.ts"
import { createLiveness, type Liveness } from "./liveness.ts"
import { checkNumbers } from "./option-checks.ts"
import { assertParams, type Params } from "./params.ts"
import { LongPoll, Socket, type Message } from "./phoenix.ts"
import { toSendable } from "./pushes.ts"
import type { Room } from "./room.ts"
import type { RoomOptions } from "./room-options.ts"
import { Rooms } from "./rooms.ts"
import { createAttempts, type Attempts } from "./transport.ts"

const PAUSED = { source: "transport", code: "paused" }

/**
 * The status of a connection.
 *
 * - `connecting`: no attempt to connect has succeeded yet.
 * - `open`: connected.
 * - `reconnecting`: the connection broke or is in doubt, and is replaced unless it proves to be alive.
 * - `refused`: the server refuses the connection. It is tried again every 30 s or so, unless `onRefused` is `"stop"`.
 * - `paused`: closed by `pause()`, until `resume()`.
 * - `closed`: closed by `disconnect()`. Final.
 */
export type ConnectionStatus = "connecting" | "open" | "reconnecting" | "refused" | "paused" | "closed"

/** One connection to a server, and the rooms on it. After a loss it reconnects by itself, and its rooms join again. */
export class Connection {
  /** The socket of phoenix.js, for everything that is not wrapped here. */
  readonly socket: Socket
  readonly #listeners = new ListenerSet<[status: ConnectionStatus]>()
  readonly #rooms: Rooms
  readonly #errors = new Errors()
  readonly #attempts: Attempts
  readonly #liveness: Liveness
  #status: ConnectionStatus = "connecting"
  #wasOpen = false
  #isOver = false
  #isPaused = false

  /** Connects at once. */
  constructor(url: string, options: ConnectOptions = {}) {
    const { timers = systemClock, random = Math.random, onRefused, maxMessageBytes = Infinity } = options
    const [endPoint, query] = parseEndpoint(url)
    checkNumbers(options)
    if (!options.transport && typeof WebSocket === "undefined" && typeof document === "undefined") {
      throw new ConfigError('expected transport to be a WebSocket class, got none: in Node, pass that of "ws"')
    }
    const attempts = createAttempts(options, query, timers, random, this.#errors.log)
    this.#attempts = attempts
    // phoenix.js does not use an application's serializer over its `LongPoll`.
    const serializer = options.transport === LongPoll ? {} : options
    const flow = createFlow(() => this.socket, serializer, timers, maxMessageBytes)
    this.socket = new Socket(endPoint, {
      ...options,
      ...flow.codec,
      // The transport does the work of these.
      params: undefined,
      authToken: undefined,
      longPollFallbackMs: undefined,
      // `Liveness` sends them, on a clock that goes on while the device sleeps.
      heartbeatIntervalMs: 2 ** 31 - 1,
      transport: attempts.transport,
      reconnectAfterMs: attempts.nextDelay,
      // phoenix.js does not use it then, but would look for the page's, which a sandboxed page does not have.
      sessionStorage: {} as Storage,
    })
    this.#rooms = new Rooms(this.socket, timers, flow)
    this.socket.onOpen(() => {
      // The reply shows that the connection carries messages.
      if (options.longPollFallbackMs) this.socket.ping(() => {})
      // A server that gave its reason says next whether it still refuses.
      if (typeof attempts.refusal !== "string") attempts.refusal = undefined
    })
    this.socket.onClose(() => {
      this.#update(false)
      if (!attempts.refusal || this.#isPaused) return
      this.#isOver = onRefused === "stop"
      this.#refuse(this.#isOver ? "closed" : "broken")
      if (this.#isOver) this.#liveness.stop()
    })
    this.socket.onMessage((message) => {
      const { topic, event, payload } = message as Message
      const isInfo = topic === HEARTBEAT_TOPIC && event === SERVER_INFO
      attempts.refusal = isInfo ? (payload as ServerInfo | null)?.refused : undefined
      if (this.#status === "refused") this.#update(true)
    })
    this.#liveness = createLiveness(this.socket, this.#rooms, timers, options, {
      setOpen: (isOpen) => this.#update(isOpen),
      resetDelays: attempts.reset,
    })
    this.#liveness.start()
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  /** Why the connection is not open, if the server refuses it. */
  get reason(): ConnectionReason | undefined {
    const detail = this.#attempts.refusal
    return detail ? { code: "refused", detail } : undefined
  }

  /** Calls `listener` with errors that no caller can catch: `params_failed`. Without a listener, they are logged to the console. */
  onError(listener: (error: RollcallError) => void): Undo {
    return this.#errors.add(listener)
  }

  /** Calls `listener` with each new status. Returns a function that removes it. */
  onStatus(listener: (status: ConnectionStatus) => void): Undo {
    return this.#listeners.add(listener)
  }

  /**
   * Joins a topic, and returns its room.
   *
   * `params` are sent with each join. A function is called whenever a join is sent, and a promise is awaited. If the result
   * cannot be sent, the error is reported to the room's `onError`, and the join is tried again later.
   *
   * Asking twice for a topic returns the same room, whatever the params; call `leave()` once per call. (Two channels with
   * one topic on one socket would evict each other.)
   *
   * A topic that was left is joined again only after the server has ended the former join; until then, 3 s at most, the new
   * room is `joining`. A topic that is asked for within 50 ms of its last `leave()`, with equal params and options, stays
   * joined: the new room starts with the view of the former one, and with what was given to `update`.
   *
   * @throws RollcallError `closed` after `disconnect()`, `bad_payload` for params that JSON cannot write; ConfigError for
   * an invalid topic or option
   */
  room<F extends object = Record<string, unknown>>(
    topic: string,
    params: Params = {},
    options: RoomOptions = {},
  ): Room<F> {
    if (this.#isOver) {
      throw new RollcallError("closed", `room ${topic}: the connection is closed`)
    }
    if (typeof params !== "function") {
      assertParams(params)
      toSendable(topic, params)
    }
    const room = this.#rooms.take(topic, [params, options], options, (sending) => {
      // phoenix.js calls this function each time it queues the join. `Flow` calls `params` when the join is sent.
      const channel = this.socket.channel(topic, () => {
        sending()
        return params
      })
      // phoenix.js may give up the connection long before its close event.
      channel.onError((detail) => {
        if ((detail as { source?: unknown } | undefined)?.source === "transport") this.#update(false)
      })
      return channel
    })
    if (this.#status === "refused") this.#refuse("broken")
    // The caller chooses the type of the fields. It cannot be inferred, because the server decides which fields it tracks.
    return room as unknown as Room<F>
  }

  /**
   * Closes the connection until `resume()`, without attempts to connect meanwhile. Rooms keep their views, which are `stale` with
   * the reason `paused`; updates and pushes wait. A further call does nothing.
   */
  pause(): void {
    if (this.#isPaused || this.#isOver) return
    this.#isPaused = true
    this.#status = "paused"
    this.#rooms.hold(PAUSED)
    this.#liveness.stop()
    this.#rooms.interrupt(PAUSED)
    if (this.#isPaused) this.#listeners.emit(reportThrown, "paused")
  }

  /** Connects again at once after `pause()`, and joins the rooms again. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#liveness.start()
  }

  /** Leaves all rooms and closes the connection. Final. */
  disconnect(): void {
    if (this.#status === "closed") return
    this.#isPaused = false
    this.#isOver = true
    this.#show("closed")
    this.#rooms.leave()
    this.#liveness.stop()
  }

  #update(isOpen: boolean): void {
    this.#wasOpen ||= isOpen
    if (this.#isPaused) this.#show("paused")
    else if (this.reason) this.#show("refused")
    else this.#show(isOpen ? "open" : this.#wasOpen ? "reconnecting" : "connecting")
  }

  #show(status: ConnectionStatus): void {
    if (this.#status === "closed" || this.#status === status) return
    this.#status = status
    this.#listeners.emit(reportThrown, status)
  }

  #refuse(event: "broken" | "closed"): void {
    this.#rooms.interrupt({ source: "transport", ...this.reason }, event)
  }
}

/**
 * Connects to a server that speaks the Phoenix Channels protocol.
 *
 * @example
 * const room = connect("/socket", { params: { token } }).room<{ name: string }>("rooms:1")
 * room.subscribe(() => render(room.list((key, { metas: [first] }) => first.name)))
 *
 * @throws ConfigError for an invalid URL, and where no WebSocket is available, as in Node without a `transport`
 */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  return new Connection(url, options)
}
