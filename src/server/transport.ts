import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Data } from "../wire/message.ts"
import type { Payload } from "../wire/payload.ts"
import type { Awaitable } from "./awaitable.ts"
import type { Limits } from "./limits.ts"

/** A message that may go to many sockets: a transport that frames it keeps the result here, so that it frames once. */
export interface Frame {
  readonly data: Data
  /** `data` once more, where it is one client's envelope around a text of all clients: what need not be copied for each. */
  readonly parts?: readonly [before: string, shared: Payload, after: string]
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
  /** While what was received waits, for its turn or for a join that takes its time: resolves when it has been taken up. */
  readonly busy: Promise<void> | undefined
  /** While more was received than was this connection's share: nothing more should be read until this resolves. */
  readonly crowded: Promise<void> | undefined
  /** The client says goodbye: the connection is to be closed with `code` when all that it said before has had its turn. */
  closeInTurn(code: number): void
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
  /** The client's address, as the transport knows it; behind trusted proxies, as they say. */
  readonly address: string
  /** What the client asked for; behind trusted proxies with the scheme and host that they say. */
  readonly url: URL
  /** The token that came as a subprotocol or header, decoded (P4). */
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
  /** The bus to the other nodes, if there are any. */
  readonly pubsub?: PubSub | undefined
  /** What a transport signs its tokens with. */
  readonly secret: string
  readonly limits: Limits
  /** How many proxies stand in front, whose `X-Forwarded-*` headers are believed. */
  readonly proxies: number
  /** Decides whether a client comes in: at once, where that can be. Never throws, never rejects. */
  admit(handshake: Handshake): Awaitable<Admission>
  readonly timers: Timers
  /** Counts what a transport does or refuses by itself. */
  count(name: string, by?: number): void
}
