/** The `phoenix` package's Socket and Channel, with types: the only file that imports it. */
// @ts-ignore -- phoenix ships no types, and whether @types/phoenix is installed must not matter.
import { LongPoll as PhoenixLongPoll, Socket as PhoenixSocket } from "phoenix"
import type { PresenceDiff, PresenceState } from "../wire/presence.ts"
import type { Params } from "./params.ts"

/** A message on its way to the server, and what became of it. */
export interface Push {
  /** The reference of the message; `null` before it is sent. */
  readonly ref: string | null
  /** Calls back with the response when the reply has this status, `"ok"` or `"error"`, or when none came: `"timeout"`. */
  receive<Response = unknown>(status: string, callback: (response: Response) => void): this
}

/** One topic on a socket. phoenix.js rejoins it after every loss, until it is left. */
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
  /** To be overridden: sees each message before the callbacks do, and returns the payload that they get. */
  onMessage(event: string, payload: unknown, ref: unknown, joinRef: unknown): unknown
}

/** Builds a connection, as `new WebSocket(url, protocols)` does: a `WebSocket`, `LongPoll`, or one of your own. */
export type Transport = new (url: string, protocols?: string[]) => object

/** What phoenix.js's Socket takes; each default is phoenix.js's own. */
export type SocketOptions = {
  /** Sent when connecting; as a function it is asked again for each attempt, so that a token can be fresh. */
  params?: Params | undefined
  /** A token that travels in a header, not in the URL; as a function it is asked again for each attempt. */
  authToken?: string | (() => string) | undefined
  /** `WebSocket` by default, where there is one; else `LongPoll`. */
  transport?: Transport | undefined
  /** Milliseconds that the transport has for its first answer before long polling is tried; never by default. */
  longPollFallbackMs?: number | undefined
  /** Milliseconds that a push waits for its reply. Default 10 000. */
  timeout?: number | undefined
  /** Milliseconds between heartbeats. Default 30 000. */
  heartbeatIntervalMs?: number | undefined
  /** Milliseconds that one long poll may take. Default 20 000. */
  longpollerTimeout?: number | undefined
  /** Milliseconds to wait before attempt `tries` (from 1) to connect again. */
  reconnectAfterMs?: ((tries: number) => number) | undefined
  /** Milliseconds to wait before attempt `tries` (from 1) to join a topic again. */
  rejoinAfterMs?: ((tries: number) => number) | undefined
  logger?: ((kind: string, message: string, data?: unknown) => void) | undefined
  debug?: boolean | undefined
  /** The serializer's version. Default `"2.0.0"`. */
  vsn?: string | undefined
  encode?: ((message: object, callback: (encoded: unknown) => void) => void) | undefined
  decode?: ((raw: unknown, callback: (message: object) => void) => void) | undefined
  binaryType?: string | undefined
  /** Where it is remembered that only long polling works. The page's `sessionStorage` by default. */
  sessionStorage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined
}

/** phoenix.js's Socket: one connection that carries many channels, and comes back by itself. */
export interface Socket {
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

/** `new Socket("/socket", { params: { token } })`; nothing happens before `connect()`. */
export type SocketConstructor = new (endPoint: string, options?: SocketOptions) => Socket

export const Socket: SocketConstructor = PhoenixSocket as SocketConstructor

/** Long polling as a `transport`, for where WebSockets do not pass. */
export const LongPoll: Transport = PhoenixLongPoll as Transport
