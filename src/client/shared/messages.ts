/** What the tabs of a group send each other over a BroadcastChannel. It reaches all tabs but the sender. */

/** A message: for all tabs if `to` is empty, else for one tab. Its kind says whether it is for the leader. */
export type TabMessage = readonly [to: string, from: string, kind: Kind, data?: unknown]

/**
 * From a tab to the leader:
 *
 * - `hello`, `bye`: the tab wants to use the connection, or no longer. Data: when it was last active, by `Date.now`.
 * - `ready`: everything that the tab sends as soon as it is connected has been sent.
 * - `frame`: a frame for the server.
 * - `active`: the tab has come to the front. Data as of `hello`.
 * - `signal`: what has happened around the tab: a `Signal`.
 * - `ping`: answered with `pong`.
 * - `want`: the tab is visible, and would rather lead itself.
 */
export type ToLeader = "hello" | "bye" | "ready" | "frame" | "active" | "signal" | "ping" | "want"

/**
 * From the leader to tabs:
 *
 * - `lead`: the sender leads from now on. Data: the number of its term, which grows.
 * - `open`: it is connected. Data: its term, and the `ServerInfo` of the server.
 * - `lost`: it is not connected any more. Data: why the server refuses the connection, if it does.
 * - `message`: a frame of the server.
 * - `hidden`: it is not visible any more.
 * - `yield`: it wants to be replaced by this tab.
 *
 * From any tab to all: `end` ends their connections.
 */
export type ToTab = "lead" | "open" | "lost" | "message" | "pong" | "hidden" | "yield" | "end"

export type Kind = ToLeader | ToTab

/** A frame: text as in version 2 of the protocol, or its array if the payload is binary. */
export type Frame = string | readonly unknown[]

type Fields = readonly [joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown]

export const toFrame = (...fields: Fields): Frame =>
  fields[4] instanceof ArrayBuffer ? fields : JSON.stringify(fields)

export const fromFrame = (frame: Frame): Fields => (typeof frame === "string" ? JSON.parse(frame) : frame) as Fields
