import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { Data } from "../wire/message.ts"
import type { Awaitable } from "./awaitable.ts"
import type { Limits } from "./limits.ts"
import type { TrustedProxies } from "./trusted-proxies.ts"

/**
 * A text that is part of many frames. A transport that needs its bytes stores them here, so that the text is encoded once.
 */
export interface SharedText {
  readonly text: string
  bytes?: Uint8Array
  /** Returns the text in pieces. A piece that is the same in a later text is the same object there, so that it is compressed once. */
  readonly pieces?: (() => readonly TextPiece[]) | undefined
}

/** A part of a text. It never changes. */
export interface TextPiece {
  readonly text: string
}

/** A message to one or many clients. */
export interface Frame {
  readonly data: Data
  /**
   * `data` in three parts, if it is an envelope for one client around a text for many clients. With the parts, the text need not
   * be copied for each client.
   */
  readonly parts?: readonly [before: string, shared: SharedText, after: string]
}

/** The outgoing side of one connection. The transport implements it, and the socket sends through it. */
export interface Outlet {
  /** Sends a message, in order. A connection that has ended, or whose buffer is full, drops the message. */
  send(frame: Frame): void
  /** Closes the connection with a WebSocket close code, after everything that was sent before. */
  close(code: number): void
}

/** The incoming side of one connection. The socket implements it, and the transport calls it. */
export interface Inlet {
  /** Receives one frame from the client. Never throws. */
  receive(data: Data): void
  /**
   * Set while received frames wait, in the fair queue or for a slow join. Resolves when they have been handled.
   */
  readonly busy: Promise<void> | undefined
  /**
   * Set while this connection has received more than its fair share, or too many of its messages wait. The transport must not
   * read more until this resolves. It may be set again then.
   */
  readonly crowded: Promise<void> | undefined
  /** Closes the connection with `code` after all frames received so far have been handled. */
  closeInTurn(code: number): void
  /** The transport must call this when the connection has ended, no matter which side closed it. */
  closed(): void
}

/** A client's request for a connection. */
export interface Handshake {
  /** The path at which the socket is mounted, such as `/socket`. */
  readonly path: string
  /**
   * The parameters of the query. If several have the same name, the last one counts.
   *
   * Parameters with brackets in their names are nested, as Plug does it: `a[b]=1` is `params.a.b`, and `a[]=1` is
   * `params.a[0]`. The type here is that of plain names; `const nested: NestedParams = params` has the type of all. The
   * client chooses what it sends, so check that a value is a string before you use it in a database query.
   */
  readonly params: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The client's network address; behind trusted proxies, the address that they report. */
  readonly address: string
  /** The requested URL; behind trusted proxies, with the scheme and host that they report. */
  readonly url: URL
  /** The decoded token that was sent as a subprotocol or in a header (P4). */
  readonly authToken?: string
  /** Aborted when the client disconnects, or when the handshake takes longer than `handshakeTimeoutMs`. */
  readonly signal: AbortSignal
}

/**
 * The answer to a handshake: a function that opens the connection, or the HTTP status and the reason of a refusal.
 *
 * With `sendReason`, the client may get the reason. Its transport includes it in its answer; or, where clients cannot read that,
 * it opens the connection, and calls `sendReason` with its outlet, which sends the reason and closes the connection.
 */
export type Admission =
  | { readonly ok: true; open(outlet: Outlet): Inlet }
  | {
      readonly ok: false
      readonly status: 403 | 404 | 429 | 503
      readonly reason: string
      readonly sendReason?: (outlet: Outlet) => Inlet
    }

/** The part of a server that its transports use. */
export interface Endpoint {
  /** Returns the mounted paths that the transport of this name serves. */
  paths(transport: string): readonly string[]
  /** This node's name. A long-poll token names the node that has its session. */
  readonly node: string
  /** The bus to the other nodes; `undefined` when there is none. */
  readonly pubsub?: PubSub | undefined
  /** The secret with which a transport signs its tokens. */
  readonly secret: string
  readonly limits: Limits
  /** Whether WebSockets are compressed for the clients that offer it. */
  readonly compression?: boolean
  /** The number of proxies in front of this server, whose `X-Forwarded-*` headers are trusted; 0 if they are known by address. */
  readonly proxies: number
  /** The same proxies, known by number or address. */
  readonly trustedProxies: TrustedProxies
  /**
   * Decides whether to accept a client: synchronously, unless `connect` is asynchronous. Never throws, never rejects.
   */
  admit(handshake: Handshake): Awaitable<Admission>
  /**
   * Returns whether a mounted path allows a request's host and origin. `admit` checks this, too. A transport whose
   * connections consist of many requests must check each of them.
   */
  permits(path: string, source: Pick<Handshake, "headers" | "url">): boolean
  readonly timers: Timers
  /** Counts and logs a request of a client for a path that no socket serves. */
  unknownPath(path: string): void
  /** Counts an event of the transport, such as a refusal. The transport may use names of its own. */
  count(name: string, by?: number): void
}
