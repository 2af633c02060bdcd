/**
 * Makes a connection: it creates the Socket for a URL, puts the parts together, and says what the status is.
 */
import { RollcallError } from "../error.ts"
import { systemClock } from "../timers.ts"
import { ListenerSet } from "../listeners.ts"
import { HEARTBEAT_TOPIC, JOIN } from "../wire/events.ts"
import { SERVER_INFO, type ServerInfo } from "../wire/introduction.ts"
import { createErrors, reportThrown } from "./callback-errors.ts"
import type { ConnectionReason, ConnectOptions } from "./connect-options.ts"
import type { Connection, ConnectionStatus } from "./connection.ts"
import { createCount } from "./count.ts"
import { createTrace } from "./debug.ts"
import { parseEndpoint } from "./endpoint.ts"
import { createFlow } from "./flow.ts"
import { createLiveness } from "./liveness.ts"
import { checkNumbers } from "./option-checks.ts"
import { assertParams, type Params } from "./params.ts"
import { LongPoll, Socket, type Message } from "./phoenix.ts"
import { toSendable } from "./pushes.ts"
import { noTransport } from "./no-transport.ts"
import { createOnline } from "./online.ts"
import { connectionReason } from "./reason.ts"
import type { Room } from "./room.ts"
import type { RoomOptions } from "./room-options.ts"
import { createRooms } from "./rooms.ts"
import { createAttempts, type CloseDetail } from "./transport.ts"

const PAUSED = { source: "transport", code: "paused" }

/**
 * Returns a connection to a server that speaks the Phoenix Channels protocol. It is opened with the first room.
 *
 * @example
 * const room = connect("/socket", { params: { token } }).room<{ name: string }>("rooms:1")
 * room.subscribe(() => render(room.list((key, { metas: [first] }) => first.name)))
 *
 * @throws ConfigError for an invalid URL or option
 */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  const { timers = systemClock, random = Math.random, onRefused } = options
  const { maxMessageBytes = Infinity, idleMs = 10_000 } = options
  const [endPoint, query] = parseEndpoint(url)
  checkNumbers(options)
  const unable = noTransport(endPoint, options)
  const listeners = new ListenerSet<[status: ConnectionStatus]>()
  const errors = createErrors()
  const trace = createTrace(options.debug, timers)
  let status: ConnectionStatus = "idle"
  /** Whether the connection is kept up, or will be after a pause. */
  let isAwake = false
  let idleTimer: unknown
  let wasOpen = false
  let isPaused = false
  /** Whether no further attempt is made. */
  let isOver = false

  const leaving = new ListenerSet<[]>()
  // Before that of phoenix.js, which closes the connection: later if something waits to be sent. By then a page is frozen that the
  // browser keeps for a return, and its user would seem to be there.
  const end = new AbortController()
  globalThis.addEventListener?.(
    "pagehide",
    () => {
      leaving.emit(reportThrown)
      socket.conn?.close()
    },
    end,
  )

  const attempts = createAttempts(options, query, timers, random, errors.log, trace)
  const socket = new Socket(endPoint, {
    ...options,
    // phoenix.js does not use an application's serializer over its `LongPoll`.
    ...(options.transport === LongPoll && { encode: undefined, decode: undefined }),
    debug: false,
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
  const flow = createFlow(socket, timers, maxMessageBytes, errors.log, trace)

  const isHeld = (): boolean => rooms.size + socket.channels.length > 0

  // phoenix.js calls this, too, whenever it reconnects: it must not stop the timer.
  const wake = (): void => {
    if (isAwake || isOver || unable) return
    isAwake = true
    if (!isPaused) liveness.start()
  }

  const sleep = (): void => {
    if (isHeld()) return
    isAwake = wasOpen = false
    attempts.refusal = undefined
    liveness.stop()
    update(false)
  }

  const released = (): void => {
    timers.clear(idleTimer)
    if (isAwake && !isOver && !isHeld()) idleTimer = timers.set(sleep, idleMs)
  }

  const rooms = createRooms(socket, timers, flow, released)
  if (unable) rooms.hold({ source: "transport", ...unable })

  // Rooms take their channels from the socket, as the application may.
  const { connect: open, channel, remove } = socket
  socket.connect = (...given) => {
    wake()
    if (isAwake) open.apply(socket, given)
  }
  socket.channel = (...given) => {
    wake()
    const made = channel.apply(socket, given)
    // phoenix.js may give up the connection long before its close event.
    made.onError((detail) => connectionReason(detail) && update(false))
    return made
  }
  socket.remove = (left) => {
    remove.call(socket, left)
    released()
  }

  const show = (next: ConnectionStatus): void => {
    if (status === "closed" || status === next) return
    status = next
    trace("", next, connection.reason)
    listeners.emit(reportThrown, next)
  }

  const update = (isOpen: boolean): void => {
    wasOpen ||= isOpen
    if (isPaused) show("paused")
    else if (!isAwake) show("idle")
    else if (attempts.refusal) show("refused")
    else show(isOpen ? "open" : wasOpen ? "reconnecting" : "connecting")
  }

  const refuse = (event: "broken" | "closed"): void =>
    rooms.interrupt({ source: "transport", ...connection.reason }, event)

  const connection: Connection = {
    socket,
    get status() {
      return status
    },
    get reason(): ConnectionReason | undefined {
      const detail = attempts.refusal
      return detail ? { code: "refused", detail } : unable
    },
    get rooms() {
      return rooms.list() as unknown as readonly Room[]
    },
    onError: errors.add,
    onStatus: (listener) => listeners.add(listener),
    onPageHide: (listener) => leaving.add(listener),
    room<F extends object>(topic: string, params: Params = {}, roomOptions: RoomOptions = {}) {
      if (isOver) throw new RollcallError("closed", `room ${topic}: the connection is closed`)
      if (typeof params !== "function") {
        assertParams(params)
        toSendable(JOIN, params)
      }
      const room = rooms.take(topic, params, roomOptions)
      if (status === "refused") refuse("broken")
      // The caller chooses the type of the fields. It cannot be inferred, because the server decides which fields it tracks.
      return room as unknown as Room<F>
    },
    count: (topic, given = {}) => createCount(connection.room, topic, given),
    online: createOnline((...given: [never]) => connection.room(...given)),
    pause() {
      if (isPaused || isOver || unable) return
      isPaused = true
      status = "paused"
      rooms.hold(PAUSED)
      liveness.stop()
      rooms.interrupt(PAUSED)
      if (isPaused) listeners.emit(reportThrown, "paused")
    },
    resume() {
      if (!isPaused) return
      isPaused = false
      isAwake ||= isHeld()
      if (isAwake) return liveness.start()
      rooms.hold(undefined)
      update(false)
    },
    disconnect() {
      if (status === "closed") return
      isPaused = false
      isOver = true
      timers.clear(idleTimer)
      show("closed")
      end.abort()
      rooms.leave()
      liveness.stop()
    },
  }

  socket.onOpen(() => {
    // What the server sends first may come with the handshake, and through a proxy that lets nothing else pass.
    if (options.longPollFallbackMs) socket.ping(() => attempts.answered())
    // A server that gave its reason says next whether it still refuses.
    if (typeof attempts.refusal !== "string") attempts.refusal = undefined
  })
  socket.onClose(({ code }: CloseDetail) => {
    trace("", "closed", code)
    update(false)
    if (!attempts.refusal || isPaused) return
    isOver ||= onRefused === "stop"
    refuse(isOver ? "closed" : "broken")
    if (isOver) liveness.stop()
  })
  socket.onMessage((message) => {
    const { topic, event, payload } = message as Message
    const info = topic === HEARTBEAT_TOPIC && event === SERVER_INFO ? (payload as ServerInfo | null) : undefined
    attempts.refusal = info?.refused
    flow.limit(info)
    if (status === "refused") update(true)
  })
  const liveness = createLiveness(socket, rooms, timers, options, update, attempts.reset, trace)
  return connection
}
