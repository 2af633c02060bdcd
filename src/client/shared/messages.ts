/**
 * What the tabs of a group send each other over a BroadcastChannel. It reaches all tabs but the sender.
 *
 * Tabs of an older version may be open for days. So a change of the messages needs a new version: tabs of two versions do not meet.
 */
export const VERSION = 1

/** A message: for all tabs if `to` is empty, else for one tab. The kinds are numbers, which are short. */
export type TabMessage = readonly [to: string, from: string, kind: number, data?: unknown]

// From a tab to the leader:

/** The tab wants to use the connection. Data: a `Hello`. */
export const HELLO = 0
/** The tab does not use it any longer. */
export const BYE = 1
/** Data: a frame for the server. */
export const FRAME = 2
/** The tab has come to the front. Data: when, by `Date.now`. */
export const ACTIVE = 3
/** Answered with `PONG`. */
export const PING = 4
/** The tab is visible, and would rather lead itself. */
export const WANT = 5

// From the leader to tabs:

/** It leads. Data: a `Lead`. */
export const LEAD = 6
/** Data: a frame of the server. */
export const MESSAGE = 7
export const PONG = 8
/** It wants to be replaced by this tab. */
export const YIELD = 9

/** When a tab was last active, by `Date.now`, and the topics of its rooms. */
export type Hello = readonly [activeAt: number, topics: readonly string[]]

/**
 * The number of the leader's term, which grows, and whether it is connected. Then `detail` is the `ServerInfo` of the server; otherwise it
 * is why the server refuses the connection, if it does.
 */
export type Lead = readonly [term: number, isOpen: boolean, detail?: unknown]

/** A frame, as in version 2 of the protocol. */
export type Frame = readonly [
  joinRef: string | null,
  ref: string | null,
  topic: string,
  event: string,
  payload: unknown,
]

/** What handles the messages of each kind, in the order of the kinds. */
export type Handlers = readonly ((tab: string, data: never) => void)[]
