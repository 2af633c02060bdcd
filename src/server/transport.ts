import type { Timers } from "../timers.ts"
import type { Data } from "../wire/message.ts"

/** Bytes that may go to many sockets: a transport that frames them keeps the result here, so that it frames once. */
export interface Frame {
  readonly data: Data
  framed?: unknown
}

/** The way out of one connection, as its transport gives it to the socket. */
export interface Outlet {
  /** Sends in order. A connection that has ended, or that cannot take any more, drops what it is given. */
  send(frame: Frame): void
  /** Ends the connection with a WebSocket close code; what was sent before still goes out. */
  close(code: number): void
}

/** The way in: what a transport tells the socket. */
export interface Inlet {
  /** One frame from the client, as it came. Never throws. */
  receive(data: Data): void
  /** The connection has ended, whoever ended it. */
  closed(): void
}

/** What a client says when it knocks. */
export interface Handshake {
  /** Where the socket is mounted, say `/socket`. */
  readonly path: string
  /** The query's parameters, the last of a name; nested ones as they are written: `a[b]=1` is `params["a[b]"]`. */
  readonly params: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The client's address, as the transport knows it. */
  readonly address: string
  readonly url: URL
  /** The token that came as a subprotocol or header, decoded (protocol rule 4). */
  readonly authToken?: string
  /** Aborted when the client is gone or has waited too long. */
  readonly signal: AbortSignal
}

/** The answer to a handshake: the door is open, or why not. `status` is an HTTP status. */
export type Admission =
  | { readonly ok: true; open(outlet: Outlet): Inlet }
  | { readonly ok: false; readonly status: 403 | 404 | 429 | 503; readonly reason: string }

/** What a server shows to its transports. */
export interface Endpoint {
  /** The mounted paths that a transport serves, by the transport's name. */
  paths(transport: string): readonly string[]
  /** This node's name: where a long-poll session lives. */
  readonly node: string
  /** What a transport signs its tokens with. */
  readonly secret: string
  readonly limits: Limits
  admit(handshake: Handshake): Promise<Admission>
  readonly timers: Timers
  /** Counts what a transport does or refuses by itself. */
  count(name: string, by?: number): void
}

/** How much one client may ask for. Times in ms, sizes in bytes. */
export interface Limits {
  /** Channels joined over one connection; one more is refused with `too many channels joined`. */
  readonly maxChannels: number
  /** Frames that wait behind a slow join or handler of one connection; one more closes it with 1008. */
  readonly maxQueuedFrames: number
  /** One frame from a client; a larger one closes the connection with 1009. */
  readonly maxFrameBytes: number
  /** What may wait for a client that does not read; with more the connection is closed with 1013. */
  readonly maxBufferedBytes: number
  /** Frames in one second over one connection; one more closes it with 1008. */
  readonly maxFramesPerSecond: number
  /** Joins in one second over one connection; one more is refused with `too many joins`. */
  readonly maxJoinsPerSecond: number
  /**
   * Connections from one address; one more is refused with HTTP 429. `Infinity` by default: behind a proxy, all come from
   * one.
   */
  readonly maxConnectionsPerAddress: number
  /** The JSON of one meta; a larger one is refused with `meta_too_large`. */
  readonly maxMetaBytes: number
  /** Metas under one key of a topic; one more is refused with `too_many_metas`. */
  readonly maxMetasPerKey: number
  /** A handler that takes longer has crashed. */
  readonly handlerTimeoutMs: number
  /** How long a fetch may hold up its diff. */
  readonly fetchTimeoutMs: number
  /** How long the bus may take to confirm a topic; the join is then refused with `subscribe timeout`. */
  readonly subscribeTimeoutMs: number
  /** From the first byte of a handshake to its answer. */
  readonly handshakeTimeoutMs: number
  /** Without a frame from the client for as long, the connection is closed with 1002 (protocol rule 5). */
  readonly idleTimeoutMs: number
  /** How long a long poll waits for a message; a session that is not polled for half as much again is over (rule 24). */
  readonly longPollWindowMs: number
}

export const LIMITS: Limits = {
  maxChannels: 100,
  maxQueuedFrames: 1_000,
  maxFrameBytes: 1_048_576,
  maxBufferedBytes: 8_388_608,
  maxFramesPerSecond: 5_000,
  maxJoinsPerSecond: 500,
  maxConnectionsPerAddress: Infinity,
  maxMetaBytes: 8_192,
  maxMetasPerKey: 10_000,
  handlerTimeoutMs: 30_000,
  fetchTimeoutMs: 5_000,
  subscribeTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  longPollWindowMs: 10_000,
}
