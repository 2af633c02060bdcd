/**
 * The messages of the channel by which a page asks which keys are online in any topic. They are those of presence, so that a Phoenix
 * server can send them, too.
 *
 * - The params of the join are a `WatchParams`. The server then sends a `presence_state`, in which each key is a user with one meta,
 *   a `WatchedKey`, and a `presence_diff` for what changes later.
 * - `WATCH` adds and removes keys: a `WatchChange`. The server answers `ok`, and sends the diff.
 */

/** The topic of the channel. */
export const WATCH_TOPIC = "presence:watch"

/** The event of the client with a `WatchChange`. */
export const WATCH = "presence_watch"

/** Whether a key has a presence in any topic; `refused` if the server does not tell this client. */
export type KeyStatus = "online" | "offline" | "refused"

/** The params of the join. */
export type WatchParams = { readonly keys: readonly string[] }

/** Keys to add to those of the channel, and to remove from them. They are removed first. */
export type WatchChange = { readonly add?: readonly string[]; readonly remove?: readonly string[] }

/** The meta of a key. */
export type WatchedKey = { readonly status: KeyStatus }

/** The reason of the refusal of a join, or of a `WATCH`, whose keys are not lists of strings; with a `message`. */
export const INVALID_KEYS = "invalid_keys"
