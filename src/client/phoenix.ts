/** The Socket and the Channel of the package `phoenix`, with types. No other file imports that package. */
// @ts-ignore -- phoenix ships no types, and whether @types/phoenix is installed must not matter.
import { LongPoll as PhoenixLongPoll, Serializer as PhoenixSerializer, Socket as PhoenixSocket } from "phoenix"
import type { PresenceDiff, PresenceState } from "../wire/presence-payloads.ts"
import type { Params } from "./params.ts"

/** A message to the server, and its reply. */
export interface Push {
  /** The ref of the message; `null` before it is sent. */
  readonly ref: string | null
  /**
   * Calls `callback` with the response if the reply has this status: `"ok"`, `"error"`, or `"timeout"` if no reply
   * came.
   */
  receive<Response = unknown>(status: string, callback: (response: Response) => void): this
  /** Stops waiting for a reply: no callback for `"timeout"` is called. */
  cancelTimeout(): void
}

/** One topic on a socket. After each loss of the connection phoenix.js joins it again, until it is left. */
export interface Channel {
  readonly topic: string
  readonly state: "closed" | "errored" | "joined" | "joining" | "leaving"
  join(timeout?: number): Push
  leave(timeout?: number): Push
  push(event: string, payload?: object, timeout?: number): Push
  on(event: "presence_state", callback: (state: PresenceState, ref?: unknown, joinRef?: unknown) => void): number
  on(event: "presence_diff", callback: (diff: PresenceDiff, ref?: unknown, joinRef?: unknown) => void): number
  on<Payload = unknown>(event: string, callback: (payload: Payload, ref?: unknown, joinRef?: unknown) => void): number
  off(event: string, ref?: number): void
  onClose(callback: (payload: unknown) => void): void
  onError(callback: (reason: unknown) => void): number
  joinRef(): string | null
  /** Gets each message before the callbacks do, and returns the payload for them. Applications can override it. */
  onMessage(event: string, payload: unknown, ref: unknown, joinRef: unknown): unknown
}

/** A class with the interface of `WebSocket`: `WebSocket` itself, `LongPoll`, or your own. */
export type Transport = new (url: string, protocols?: string[]) => object

/** The options of phoenix.js's Socket. The defaults are those of phoenix.js. */
export type SocketOptions = {
  /**
   * Params to send when connecting. A function is called again for each attempt, so that it can return a fresh token.
   * `connect` awaits a promise; a `Socket` of your own does not.
   */
  params?: Params | undefined
  /** A token that is sent in a header, not in the URL. A function is called again for each attempt. `connect` awaits a promise. */
  authToken?: string | (() => string | PromiseLike<string>) | undefined
  /** Default: `WebSocket` where the platform has it, else `LongPoll`. */
  transport?: Transport | undefined
  /**
   * How long the transport may take to open, and then for its first reply, before long polling is tried, in milliseconds.
   * Default: no fallback. The next connection begins with a WebSocket again.
   */
  longPollFallbackMs?: number | undefined
  /** How long a push waits for its reply, in milliseconds. Default 10 000. */
  timeout?: number | undefined
  /** Milliseconds between heartbeats. Default 30 000; with `connect` 15 000. */
  heartbeatIntervalMs?: number | undefined
  /** The longest duration of one long poll, in milliseconds. Default 20 000. */
  longpollerTimeout?: number | undefined
  /**
   * Returns the delay before attempt `tries` (from 1) to reconnect, in milliseconds. Default of `connect`: 6, 100, 500,
   * 1000, 2000, then 5000, each ±50 %. `connect` counts attempts until a connection has lasted 5 seconds.
   */
  reconnectAfterMs?: ((tries: number) => number) | undefined
  /** Returns the delay before attempt `tries` (from 1) to rejoin a topic, in milliseconds. */
  rejoinAfterMs?: ((tries: number) => number) | undefined
  logger?: ((kind: string, message: string, data?: unknown) => void) | undefined
  debug?: boolean | undefined
  /** The serializer's version. Default `"2.0.0"`. */
  vsn?: string | undefined
  encode?: ((message: object, callback: (encoded: unknown) => void) => void) | undefined
  decode?: ((raw: unknown, callback: (message: object) => void) => void) | undefined
  binaryType?: string | undefined
  /**
   * Where a `Socket` of your own remembers that only long polling works. Default: the page's `sessionStorage`. `connect`
   * stores nothing.
   */
  sessionStorage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined
}

/** phoenix.js's Socket: one connection for many channels, which reconnects by itself. */
export interface Socket {
  /** The transport of the current connection or attempt. */
  readonly conn: {
    readonly skipHeartbeat?: boolean | undefined
    onmessage?: ((event: { data: unknown }) => void) | null
  } | null
  connect(): void
  disconnect(callback?: () => void, code?: number, reason?: string): void
  channel(topic: string, params?: Params): Channel
  connectionState(): "connecting" | "open" | "closing" | "closed"
  isConnected(): boolean
  onOpen(callback: () => void): string
  onClose(callback: (event: unknown) => void): string
  onError(callback: (error: unknown) => void): string
  onMessage(callback: (message: object) => void): string
  off(refs: readonly string[]): void
  ping(callback: (roundTripMs: number) => void): boolean
  endPointURL(): string
}

/**
 * The type of the class `Socket`: `new Socket("/socket", { params: { token } })`. A socket connects only when
 * `connect()` is called.
 */
export type SocketConstructor = new (endPoint: string, options?: SocketOptions) => Socket

export const Socket: SocketConstructor = PhoenixSocket as SocketConstructor

/** Long polling as a `transport`, for networks that block WebSockets. */
export const LongPoll: Transport = PhoenixLongPoll as Transport

/** A message before it is encoded and after it is decoded. */
export type Message = { join_ref: string | null; ref: string | null; topic: string; event: string; payload: unknown }

/** An encoder and a decoder, as options of a socket. */
export type Codec = {
  encode: NonNullable<SocketOptions["encode"]>
  decode: NonNullable<SocketOptions["decode"]>
}

/** phoenix.js's serializer: JSON in version 2 of the protocol, and binary payloads. */
export const Serializer: Codec = PhoenixSerializer as Codec
