/** The glue, from a URL to a room of people: Socket → Channel → Room. */
import { ConfigError, RollcallError } from "../error.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { reportThrown } from "./callback-errors.ts"
import { steady, type Params } from "./params.ts"
import { Socket, type SocketOptions } from "./phoenix.ts"
import { checkOptions, Room, type RoomOptions } from "./room.ts"

/** What `connect` takes: phoenix.js's socket options, and the timers that rooms throttle by. */
export type ConnectOptions = SocketOptions & { timers?: Timers | undefined }

/**
 * How the connection is.
 *
 * - `connecting`: the first attempt is on its way, or the ones after it.
 * - `open`: up.
 * - `reconnecting`: was up; phoenix.js is at it.
 * - `closed`: by `disconnect()`, for good.
 */
export type ConnectionStatus = "connecting" | "open" | "reconnecting" | "closed"

/** One connection to a server, and the rooms on it. It comes back by itself, and the rooms with it. */
export class Connection {
  /** phoenix.js's own socket, for what is not wrapped here. */
  readonly socket: Socket
  readonly #timers: Timers
  readonly #listeners = new ListenerSet<[status: ConnectionStatus]>()
  readonly #rooms = new Map<string, { readonly room: Room<object>; holders: number }>()
  #status: ConnectionStatus = "connecting"

  /** Connects at once. */
  constructor(url: string, { timers = systemTimers, ...options }: ConnectOptions = {}) {
    if (typeof url !== "string" || url === "") throw new ConfigError(`url: expected a URL or path, got ${String(url)}`)
    const inPage = typeof document !== "undefined"
    if (!options.transport && typeof WebSocket === "undefined" && !inPage) {
      throw new ConfigError(
        'transport: expected a WebSocket class, as this platform has none; in Node, that of "ws" will do',
      )
    }
    if (url.startsWith("/") && typeof location === "undefined") {
      throw new ConfigError(`url: expected a URL with a host, as there is no page to take it from, got ${url}`)
    }
    this.#timers = timers
    const { params, authToken } = options
    this.socket = new Socket(url, {
      ...options,
      params: steady("params", params),
      authToken: steady("authToken", authToken),
    })
    this.socket.onOpen(() => this.#setStatus("open"))
    this.socket.onClose(() => this.#setStatus(this.#status === "connecting" ? "connecting" : "reconnecting"))
    this.socket.connect()
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  /** Calls `listener` with each new status. */
  onStatus(listener: (status: ConnectionStatus) => void): Undo {
    return this.#listeners.add(listener)
  }

  /**
   * Joins a topic; `params` are sent with each join, and asked for again if they are a function. When that throws later
   * than at once, what it gave before is sent again.
   *
   * A topic is joined once: as long as a room is open, the same one is returned, whatever the params, and it takes as many
   * calls of its `leave()` as there were of this to close it. (Two channels of one topic on one socket would evict each other.)
   *
   * @throws RollcallError `closed` after `disconnect()`; ConfigError for a topic or an option that cannot be; what `params` throws.
   */
  room<F extends object = Record<string, unknown>>(
    topic: string,
    params: Params = {},
    options: RoomOptions = {},
  ): Room<F> {
    if (this.#status === "closed") throw new RollcallError("closed", `room ${topic}: the connection is closed`)
    let held = this.#rooms.get(topic)
    if (!held || held.room.status === "closed") {
      if (typeof topic !== "string" || topic === "")
        throw new ConfigError(`topic: expected a name, got ${String(topic)}`)
      checkOptions(options)
      const release = (): boolean => --own.holders <= 0
      const channel = this.socket.channel(topic, steady(`params of ${topic}`, params))
      const room = new Room<object>(channel, options, release, this.#timers)
      // A dead network is noticed by the heartbeat. phoenix.js gives the connection up then, which may be long before it closes.
      channel.onError((detail) => {
        if ((detail as { source?: unknown } | undefined)?.source !== "transport") return
        if (this.#status === "open") this.#setStatus("reconnecting")
      })
      const own = { room, holders: 0 }
      held = own
      this.#rooms.set(topic, own)
      room.subscribe(() => {
        if (room.status === "closed" && this.#rooms.get(topic) === own) this.#rooms.delete(topic)
      })
    }
    held.holders++
    // The fields are the caller's to name: what the server tracks under a topic has no other source of types.
    return held.room as unknown as Room<F>
  }

  /** Leaves all rooms and closes the connection, for good. */
  disconnect(): void {
    if (this.#status === "closed") return
    this.#setStatus("closed")
    for (const held of this.#rooms.values()) {
      held.holders = 1
      held.room.leave()
    }
    this.socket.disconnect()
  }

  #setStatus(status: ConnectionStatus): void {
    if (this.#status === "closed" || this.#status === status) return
    this.#status = status
    this.#listeners.emit(reportThrown, status)
  }
}

/**
 * Connects to a Phoenix-speaking server.
 *
 * @example
 * const room = connect("/socket", { params: { token } }).room<{ name: string }>("rooms:1")
 * room.subscribe(() => render(room.list((key, { metas: [first] }) => first.name)))
 *
 * @throws ConfigError where there is nothing to connect with, as under Node without a `transport`.
 */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  return new Connection(url, options)
}
