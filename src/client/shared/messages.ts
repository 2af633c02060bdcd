/**
 * What the tabs of a group send each other over a BroadcastChannel. It reaches all tabs but the sender.
 *
 * Tabs of an older version may be open for days. So a change of the messages needs a new version: tabs of two versions do not meet.
 */
export const VERSION = 2

/** A message: for all tabs if `to` is empty, else for one tab. The kinds are numbers, which are short. */
export type TabMessage = readonly [to: string, from: string, kind: number, data?: unknown]

// From a tab to the leader:

/** The tab uses the connection, or was hidden or shown. Data: a `Hello`. Answered with `LEAD`. */
export const HELLO = 0
/** The tab does not use it any longer. */
export const BYE = 1
/** Data: a message for the server, or its JSON text. */
export const FRAME = 2
/** Answered with `LEAD`, unless the leader is frozen. */
export const PING = 3
/** The tab is visible, and would rather lead itself. */
export const WANT = 4

// From the leader to tabs:

/** It leads. Data: a `Lead`. */
export const LEAD = 5
/** Data: a message of the server. */
export const MESSAGE = 6
/** It wants to be replaced by this tab. */
export const YIELD = 7

/** When a tab was last active, by `Date.now`, and the topics of its rooms. */
export type Hello = readonly [activeAt: number, topics: readonly string[]]

/**
 * The number of the leader's term, which grows, and whether it is connected. Then `detail` is the `ServerInfo` of the server; otherwise it
 * is why the server refuses the connection, if it does.
 */
export type Lead = readonly [term: number, isOpen?: boolean, detail?: unknown]
