/** What the tabs of a group send each other over a BroadcastChannel. It reaches all tabs but the sender. */
import type { Message } from "../phoenix.ts"

/** A message: for all tabs if `to` is empty, else for one tab. */
export type TabMessage = readonly [to: string, from: string, kind: ToLeader | ToTab, data?: unknown]

/**
 * From a tab to the leader:
 *
 * - `hello`, `bye`: the tab wants to use the connection, or no longer. Data of `hello`: a `Hello`.
 * - `frame`: a frame for the server.
 * - `active`: the tab has come to the front. Data: when, by `Date.now`.
 * - `ping`: answered with `pong`.
 * - `want`: the tab is visible, and would rather lead itself.
 */
export type ToLeader = "hello" | "bye" | "frame" | "active" | "ping" | "want"

/** When a tab was last active, by `Date.now`, and the topics of its rooms. */
export type Hello = readonly [activeAt: number, topics: readonly string[]]

/**
 * From the leader to tabs:
 *
 * - `lead`: it leads. Data: a `Lead`.
 * - `message`: a frame of the server.
 * - `yield`: it wants to be replaced by this tab.
 *
 * From any tab to all: `end` ends their connections.
 */
export type ToTab = "lead" | "message" | "pong" | "yield" | "end"

/**
 * The number of the leader's term, which grows, and whether it is connected. Then `detail` is the `ServerInfo` of the server; otherwise it
 * is why the server refuses the connection, if it does.
 */
export type Lead = readonly [term: number, isOpen: boolean, detail?: unknown]

/** A frame: text as in version 2 of the protocol, or its array if the payload is binary. */
export type Frame = string | readonly unknown[]

type Parts = [joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown]

export const toFrame = (...parts: Parts): Frame => (parts[4] instanceof ArrayBuffer ? parts : JSON.stringify(parts))

export function fromFrame(frame: Frame): Message {
  const [join_ref, ref, topic, event, payload] = (typeof frame === "string" ? JSON.parse(frame) : frame) as Parts
  return { join_ref, ref, topic, event, payload }
}
