/**
 * A connection to a server, and the rooms on it. It creates the Socket for a URL, and the Channel and the Room for each
 * topic.
 */
import { ConfigError, RollcallError } from "../error.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { reportThrown } from "./callback-errors.ts"
import { reuseLastOnError, type Params } from "./params.ts"
import { Socket, type SocketOptions } from "./phoenix.ts"
import { checkOptions, Room, type RoomOptions } from "./room.ts"

/** Options of `connect`: those of phoenix.js's Socket, and the timers with which rooms throttle updates. */
export type ConnectOptions = SocketOptions & { timers?: Timers | undefined }

/**
 * The status of a connection.
 *
 * - `connecting`: no attempt to connect has succeeded yet.
 * - `open`: connected.
 * - `reconnecting`: the connection broke, and phoenix.js tries to connect again.
 * - `closed`: closed by `disconnect()`. Final.
 */
export type ConnectionStatus = "connecting" | "open" | "reconnecting" | "closed"

/** One connection to a server, and the rooms on it. After a loss it reconnects by itself, and its rooms join again. */
export class Connection {
  /** The socket of phoenix.js, for everything that is not wrapped here. */
  readonly socket: Socket
  readonly #timers: Timers
  readonly #listeners = new ListenerSet<[status: ConnectionStatus]>()
  readonly #rooms = new Map<string, { readonly room: Room<object>; holders: number }>()
  #status: ConnectionStatus = "connecting"

  /** Connects at once. */
  constructor(url: string, { timers = systemTimers, ...options }: ConnectOptions = {}) {
    if (typeof url !== "string" || url === "")
      throw new ConfigError(`expected url to be a URL or a path, got ${JSON.stringify(url)}`)
    const inPage = typeof document !== "undefined"
    if (!options.transport && typeof WebSocket === "undefined" && !inPage) {
      throw new ConfigError('expected transport to be a WebSocket class, got none: in Node, pass that of "ws"')
    }
    if (url.startsWith("/") && typeof location === "undefined") {
      throw new ConfigError(`expected url to have a host, got ${url}`)
    }
    this.#timers = timers
    const { params, authToken } = options
    this.socket = new Socket(url, {
      ...options,
      params: reuseLastOnError("params", params),
      authToken: reuseLastOnError("authToken", authToken),
    })
    this.socket.onOpen(() => this.#setStatus("open"))
    this.socket.onClose(() => this.#setStatus(this.#status === "connecting" ? "connecting" : "reconnecting"))
    this.socket.connect()
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  /** Calls `listener` with each new status. Returns a function that removes it. */
  onStatus(listener: (status: ConnectionStatus) => void): Undo {
    return this.#listeners.add(listener)
  }

  /**
   * Joins a topic, and returns its room.
   *
   * `params` are sent with each join. A function is called again for each join. If it throws on a rejoin, the error is
   * reported and its previous value is sent again.
   *
   * Asking twice for a topic returns the same room, whatever the params; call `leave()` once per call. (Two channels with
   * one topic on one socket would evict each other.)
   *
   * @throws RollcallError `closed` after `disconnect()`; ConfigError for an invalid topic or option; and what a
   * `params` function throws at its first call
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
        throw new ConfigError(`expected topic to be a name, got ${JSON.stringify(topic)}`)
      checkOptions(options)
      const release = (): boolean => --own.holders <= 0
      const channel = this.socket.channel(topic, reuseLastOnError(`params of ${topic}`, params))
      const room = new Room<object>(channel, options, release, this.#timers)
      // The heartbeat detects a dead network. phoenix.js then abandons the connection, perhaps long before its close
      // event.
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
    // The caller chooses the type of the fields. It cannot be inferred, because the server decides which fields it
    // tracks.
    return held.room as unknown as Room<F>
  }

  /** Leaves all rooms and closes the connection. Final. */
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
