/**
 * The classes of the package `phoenix`, with types. No other file imports that package.
 *
 * Where phoenix.js gives a value of any type to a callback, it is `any` here, so that code for phoenix.js compiles unchanged:
 * `.receive("ok", ({ messages }) => …)`.
 */
// oxlint-disable typescript/no-explicit-any
// @ts-ignore -- phoenix ships no types, and whether @types/phoenix is installed must not matter.
// oxfmt-ignore
import { Channel as PhoenixChannel, LongPoll as PhoenixLongPoll, Serializer as PhoenixSerializer, Socket as PhoenixSocket } from "phoenix"
import type { PresenceDiff, PresenceState } from "../wire/presence-payloads.ts"
import type { Params } from "./params.ts"

/** A message to the server, and its reply. */
export interface Push {
  readonly channel: Channel
  readonly event: string
  readonly payload: () => any
  readonly timeout: number
  readonly sent: boolean
  /** The ref of the message; `null` before it is sent. */
  readonly ref: string | null
  /** The reply, once it has arrived. */
  readonly receivedResp: { readonly status: string; readonly response: any } | null
  /**
   * Calls `callback` with the response if the reply has this status: `"ok"`, `"error"`, or `"timeout"` if no reply
   * came.
   */
  receive<Response = any>(status: string, callback: (response: Response) => unknown): this
  send(): void
  resend(timeout: number): void
  /** Stops waiting for a reply: no callback for `"timeout"` will be called. */
  cancelTimeout(): void
  trigger(status: string, response: unknown): void
}

/** One topic on a socket. After each loss of the connection phoenix.js joins it again, until it is left. */
export interface Channel {
  readonly topic: string
  readonly state: "closed" | "errored" | "joined" | "joining" | "leaving"
  readonly socket: Socket
  readonly params: () => any
  /** How long pushes wait for their replies, in milliseconds. */
  timeout: number
  readonly joinedOnce: boolean
  readonly joinPush: Push
  /** The callbacks, in the order in which they are called. */
  readonly bindings: readonly { readonly event: string; readonly ref: number }[]
  /** The pushes that wait for the join. */
  readonly pushBuffer: readonly Push[]
  join(timeout?: number): Push
  leave(timeout?: number): Push
  rejoin(timeout?: number): void
  push(event: string, payload?: object, timeout?: number): Push
  canPush(): boolean
  on(event: "presence_state", callback: (state: PresenceState, ref?: unknown, joinRef?: unknown) => unknown): number
  on(event: "presence_diff", callback: (diff: PresenceDiff, ref?: unknown, joinRef?: unknown) => unknown): number
  on<Payload = any>(event: string, callback: (payload: Payload, ref?: unknown, joinRef?: unknown) => unknown): number
  off(event: string, ref?: number): void
  onClose(callback: (payload: any, ref?: unknown, joinRef?: unknown) => unknown): void
  onError(callback: (reason: any) => unknown): number
  joinRef(): string | null
  isClosed(): boolean
  isErrored(): boolean
  isJoined(): boolean
  isJoining(): boolean
  isLeaving(): boolean
  isMember(topic: string, event: string, payload: unknown, joinRef?: string | null): boolean
  replyEventName(ref: string | null): string
  /** Calls the callbacks of an event, as if the server had sent it. */
  trigger(event: string, payload?: unknown, ref?: string | null, joinRef?: string | null): void
  /** Gets each message before the callbacks do, and returns the payload for them. Applications can override it. */
  onMessage(event: string, payload: any, ref: unknown, joinRef: unknown): unknown
}

/** The type of the class `Channel`. Channels are usually created by `socket.channel(topic, params)`. */
export type ChannelConstructor = new (topic: string, params: Params | undefined, socket: Socket) => Channel

export const Channel: ChannelConstructor = PhoenixChannel as ChannelConstructor

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
  logger?: ((kind: string, message: string, data?: any) => void) | undefined
  debug?: boolean | undefined
  /** The serializer's version. Default `"2.0.0"`. */
  vsn?: string | undefined
  encode?: ((message: any, callback: (encoded: any) => void) => void) | undefined
  decode?: ((raw: any, callback: (message: any) => void) => void) | undefined
  binaryType?: string | undefined
  /**
   * Where a `Socket` of your own remembers that only long polling works. Default: the page's `sessionStorage`. `connect`
   * stores nothing.
   */
  // Not `Pick<Storage, …>`: without the DOM's types (Node, React Native) a project that checks its libraries has no `Storage`.
  sessionStorage?:
    | { getItem(key: string): string | null; setItem(key: string, value: string): void; removeItem(key: string): void }
    | undefined
}

/** A `WebSocket` or a `LongPoll`. */
export interface Conn {
  readonly readyState: number
  readonly bufferedAmount?: number | undefined
  readonly skipHeartbeat?: boolean | undefined
  onmessage?: ((event: { data: unknown }) => void) | null
  send(data: any): void
  close(code?: number, reason?: string): void
}

/** A message before it is encoded, and after it is decoded. */
export type Message = { join_ref: string | null; ref: string | null; topic: string; event: string; payload: unknown }

/** phoenix.js's Socket: one connection for many channels, which reconnects by itself. */
export interface Socket {
  readonly channels: readonly Channel[]
  /** The transport of the current connection or attempt. */
  readonly conn: Conn | null
  readonly transport: Transport
  readonly endPoint: string
  readonly vsn: string
  readonly timeout: number
  readonly heartbeatIntervalMs: number
  params: () => any
  logger: ((kind: string, message: string, data?: any) => void) | null
  reconnectAfterMs: (tries: number) => number
  rejoinAfterMs: (tries: number) => number
  encode: NonNullable<SocketOptions["encode"]>
  decode: NonNullable<SocketOptions["decode"]>
  connect(params?: object): void
  disconnect(callback?: () => unknown, code?: number, reason?: string): void
  channel(topic: string, params?: Params): Channel
  /** Forgets a channel. */
  remove(channel: Channel): void
  /** Sends a message as soon as the socket is connected. */
  push(message: object): void
  /** Returns a ref that no message of this socket has. */
  makeRef(): string
  connectionState(): "connecting" | "open" | "closing" | "closed"
  isConnected(): boolean
  onOpen(callback: () => unknown): string
  onClose(callback: (event: any) => unknown): string
  onError(callback: (error: any, transport?: Transport, establishedConnections?: number) => unknown): string
  onMessage(callback: (message: any) => unknown): string
  off(refs: readonly string[]): void
  ping(callback: (roundTripMs: number) => unknown): boolean
  sendHeartbeat(): void
  log(kind: string, message: string, data?: unknown): void
  hasLogger(): boolean
  /** `"ws"` or `"wss"`, as the page. */
  protocol(): string
  endPointURL(): string
  replaceTransport(transport: Transport): void
  getLongPollTransport(): Transport
}

/**
 * The type of the class `Socket`: `new Socket("/socket", { params: { token } })`. A socket connects only when
 * `connect()` is called.
 */
export type SocketConstructor = new (endPoint: string, options?: SocketOptions) => Socket

export const Socket: SocketConstructor = PhoenixSocket as SocketConstructor

/** Long polling as a `transport`, for networks that block WebSockets. */
export const LongPoll: Transport = PhoenixLongPoll as Transport

/** An encoder and a decoder, as options of a socket. */
export type Codec = {
  encode: NonNullable<SocketOptions["encode"]>
  decode: NonNullable<SocketOptions["decode"]>
}

/** phoenix.js's serializer: JSON in version 2 of the protocol, and binary payloads. */
export const Serializer: Codec = PhoenixSerializer as Codec
