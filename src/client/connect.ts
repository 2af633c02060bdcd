/**
 * A connection to a server, and the rooms on it. It creates the Socket for a URL, and the Channel and the Room for each
 * topic.
 */
import { ConfigError, RollcallError } from "../error.ts"
import { systemTimers, type Timers } from "../timers.ts"
import { ListenerSet, type Undo } from "../listeners.ts"
import { reportThrown } from "./callback-errors.ts"
import { encoderOf } from "./encoder.ts"
import { Flow } from "./flow.ts"
import { reuseLastOnError, type Params } from "./params.ts"
import { Socket, type SocketOptions } from "./phoenix.ts"
import type { Room, RoomOptions } from "./room.ts"
import { Rooms } from "./rooms.ts"

/** Options of `connect`: those of phoenix.js's Socket, and these. */
export type ConnectOptions = SocketOptions & {
  /**
   * The size of the largest message that is sent, in bytes of the whole message. Default: what the server announces (Rollcall's
   * server does), else unlimited. If it announces less, that counts.
   */
  maxMessageBytes?: number | undefined
  /** The timers with which rooms throttle updates. */
  timers?: Timers | undefined
}

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
  readonly #listeners = new ListenerSet<[status: ConnectionStatus]>()
  readonly #rooms: Rooms
  #status: ConnectionStatus = "connecting"

  /** Connects at once. */
  constructor(url: string, { timers = systemTimers, maxMessageBytes, ...options }: ConnectOptions = {}) {
    if (typeof url !== "string" || url === "")
      throw new ConfigError(`expected url to be a URL or a path, got ${JSON.stringify(url)}`)
    const inPage = typeof document !== "undefined"
    if (!options.transport && typeof WebSocket === "undefined" && !inPage) {
      throw new ConfigError('expected transport to be a WebSocket class, got none: in Node, pass that of "ws"')
    }
    if (url.startsWith("/") && typeof location === "undefined") {
      throw new ConfigError(`expected url to have a host, got ${url}`)
    }
    if (maxMessageBytes !== undefined && !(maxMessageBytes > 0)) {
      throw new ConfigError(`expected maxMessageBytes to be a number of bytes > 0, got ${maxMessageBytes}`)
    }
    const { params, authToken } = options
    const flow = new Flow(timers, maxMessageBytes)
    this.socket = new Socket(url, {
      ...options,
      encode: encoderOf(options.encode, flow, () => this.socket),
      params: reuseLastOnError("params", params),
      authToken: reuseLastOnError("authToken", authToken),
    })
    flow.watch(this.socket)
    this.#rooms = new Rooms(this.socket, timers, flow)
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
   * A topic that was left is joined again only after the server has ended the former join; until then, 3 s at most, the new
   * room is `joining`. A topic that is asked for within 50 ms of its last `leave()`, with equal params and options, stays
   * joined: the new room starts with the view of the former one, and with what was given to `update`.
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
    const room = this.#rooms.take(topic, [params, options], options, () => {
      const joinParams = reuseLastOnError(`params of ${topic}`, params)
      return (sending) => {
        // phoenix.js calls a function each time it sends the join.
        const channel = this.socket.channel(topic, () => {
          sending()
          return typeof joinParams === "function" ? joinParams() : joinParams
        })
        // The heartbeat detects a dead network. phoenix.js then gives up the connection, perhaps long before its close event.
        channel.onError((detail) => {
          if ((detail as { source?: unknown } | undefined)?.source !== "transport") return
          if (this.#status === "open") this.#setStatus("reconnecting")
        })
        return channel
      }
    })
    // The caller chooses the type of the fields. It cannot be inferred, because the server decides which fields it tracks.
    return room as unknown as Room<F>
  }

  /** Leaves all rooms and closes the connection. Final. */
  disconnect(): void {
    if (this.#status === "closed") return
    this.#setStatus("closed")
    this.#rooms.leave()
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
