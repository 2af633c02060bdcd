/** The options of `connect`. */
import type { Timers } from "../timers.ts"
import type { Debug } from "./debug.ts"
import type { LivenessOptions } from "./liveness.ts"
import type { SocketOptions } from "./phoenix.ts"

/** Options of `connect`: those of phoenix.js's Socket, and a few of our own. */
export type ConnectOptions = Omit<SocketOptions, "debug"> &
  LivenessOptions & {
    /**
     * The size of the largest message that is sent, in bytes of the whole message. Default: what the server announces (Rollcall's
     * server does), else unlimited. If it announces less, that counts.
     */
    maxMessageBytes?: number | undefined
    /**
     * How long the connection stays open after the last room was left, in milliseconds. It is opened again with the next room.
     * Default 10 000.
     */
    idleMs?: number | undefined
    /**
     * Writes what happens, one line each: frames, statuses and decisions. `true` writes to the console; a function gets the lines.
     * Values whose names suggest a secret, such as a token, are left out, and so are all params. Default: off, unless the page has
     * `localStorage["rollcall:debug"]`: `"*"`, or the topics whose frames are wanted, such as `"rooms:*"`.
     */
    debug?: Debug | undefined
    /** Times the attempts to connect, and updates. Default: the platform's timers. */
    timers?: Timers | undefined
    /** Returns numbers from 0 to 1, for the jitter of delays. Default `Math.random`. */
    random?: (() => number) | undefined
    /**
     * What to do when the server refuses the connection: `"retry"` tries again after 15 to 45 seconds, with new params and a
     * new token; `"stop"` ends the connection. Default `"retry"`.
     */
    onRefused?: "retry" | "stop" | undefined
  }

/**
 * Why there is no connection.
 *
 * - `refused`: the server refuses it, for instance because a token has expired. `detail` is the reason that the server gives, such
 *   as `"token_expired"`, or the status 403.
 * - `no_transport`: none can be made here, because this is no page, worker or app, and there is no `transport` or only a path as
 *   the URL: for instance while a server renders a page. `detail` says what is missing.
 */
export type ConnectionReason = {
  readonly code: "refused" | "no_transport"
  readonly detail: string | number
}
