/**
 * Phoenix's presence semantics. `syncState`, `syncDiff` and `list` are pure functions.
 *
 * The first two are built on `applyState` and `applyDiff`, which the live store uses as well. Those write into a
 * `PresenceMap` that their caller can discard, so that a frame is applied whole or not at all.
 */
import type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence-payloads.ts"
import { idOf, same } from "./metas.ts"
import { assertPayload, isPresence } from "./payload-checks.ts"

/**
 * A callback for each key with new metas. It gets the presence before the join, and one with only the metas that
 * joined.
 */
export type OnJoin<F extends object = Record<string, unknown>> = (
  key: string,
  current: PresenceEntry<F> | undefined,
  joined: PresenceEntry<F>,
) => void

/**
 * A callback for each key with fewer metas. It gets the presence after the leave (perhaps without metas), and one with
 * only the metas that left.
 */
export type OnLeave<F extends object = Record<string, unknown>> = (
  key: string,
  current: PresenceEntry<F>,
  left: PresenceEntry<F>,
) => void

/** Returns the item of `list` for a user. The key is its first argument, as in phoenix.js. */
export type Chooser<F extends object, T> = (key: string, presence: PresenceEntry<F>) => T

/** Users by key. Writing `undefined` removes a user. */
export interface PresenceMap<F extends object> {
  get(key: string): PresenceEntry<F> | undefined
  set(key: string, presence: PresenceEntry<F> | undefined): void
  keys(): Iterable<string>
}

/**
 * The arguments of one call of `onJoin` or `onLeave`, before they are copied. `current` is the callback's second argument;
 * the third one has the fields of `source`, but only these `metas`.
 */
export type PresenceEvent<F extends object> = readonly [
  isJoin: boolean,
  key: string,
  current: PresenceEntry<F> | undefined,
  source: PresenceEntry<F>,
  metas: readonly Meta<F>[],
]

/**
 * The shared part of `applyDiff` and `applyState`: one loop for joins, leaves and states, because three would not fit the size budget.
 * With `isState`, the payload has all metas of each of its users; otherwise it has only those that join or leave. Joins of unknown metas
 * for whose ref `isDropped` is true are ignored.
 */
function applyUsers<F extends object>(
  users: PresenceMap<F>,
  events: PresenceEvent<F>[],
  payload: unknown,
  isLeave?: boolean,
  isState?: boolean,
  isDropped?: (ref: string) => boolean,
): void {
  assertPayload(payload)
  const leaves: PresenceEvent<F>[] = []
  for (const key of Object.keys(payload)) {
    const sent: unknown = payload[key]
    assertPayload<PresenceEntry<F>>(sent, isPresence)
    const current = users.get(key)
    // Most users are unchanged after a rejoin. A user without metas is not skipped, because it must be removed (C20).
    if (!isLeave && sent.metas.length && same(current, sent)) continue
    let next = current
    let joined = sent.metas as Meta<F>[]
    const left: Meta<F>[] = []
    // A new user with one device is taken as it was sent. Most users have one, for which the work below would be wasted.
    if (current || isLeave || isDropped || joined.length > 1) {
      const known = new Map(current?.metas.map((meta) => [idOf(meta), meta]))
      const metas = isState ? new Map<string, Meta<F>>() : known
      joined = []
      for (const meta of sent.metas) {
        const id = idOf(meta)
        if (!known.has(id) && !metas.has(id)) {
          // Skips a leave of an unknown meta, and a join of a meta that a present one has replaced: the join of the older
          // of two updates has arrived late (C45).
          if (isLeave || isDropped?.(id) || (!isState && current?.metas.some((each) => each.phx_ref_prev === id)))
            continue
          joined.push(meta)
        }
        if (isLeave) {
          metas.delete(id)
          left.push(meta)
        } else metas.set(id, meta)
        // The sent extras replace the user's (C6, C27). A leave without extras does not change them (C15).
        if (!isLeave || Object.keys(sent).length > 1) next = sent
      }
      for (const [id, meta] of known) if (!metas.has(id)) left.push(meta)
      next = { ...next, metas: [...metas.values()] }
    }
    // A copy, because phoenix.js's `Presence` on the same channel writes `metas` into the payload.
    else next = { ...sent }
    // A user without metas is not present (C20).
    users.set(key, next.metas.length ? next : undefined)
    if (joined.length) events.push([true, key, current, sent, joined])
    if (left.length) leaves.push([false, key, next, isLeave ? sent : current!, left])
  }
  for (const event of leaves) events.push(event)
}

/**
 * Applies a diff (C1–C23): all joins, then all leaves. A known meta that joins keeps its position and gets the sent content
 * (C7); new metas are added after the others. Extras that come with a leave replace those of the user (C15).
 */
export function applyDiff<F extends object>(
  users: PresenceMap<F>,
  events: PresenceEvent<F>[],
  diff: unknown,
  isDropped?: (ref: string) => boolean,
): void {
  applyUsers(users, events, (diff as PresenceDiff | undefined)?.joins, false, false, isDropped)
  applyUsers(users, events, (diff as PresenceDiff | undefined)?.leaves, true)
}

/**
 * Applies a whole state (C26–C32). Content, extras (C27) and order (C29) become those of the state, and a user that is not
 * in it loses all metas. All joins are reported before all leaves.
 */
export function applyState<F extends object>(users: PresenceMap<F>, events: PresenceEvent<F>[], state: unknown): void {
  assertPayload(state)
  // The absent users come first, because phoenix.js reports leaves in the key order of an object that it fills this way.
  let absent: Record<string, unknown> | undefined
  for (const key of users.keys()) {
    if (!Object.hasOwn(state, key)) (absent ??= Object.create(null) as Record<string, unknown>)[key] = { metas: [] }
  }
  applyUsers(users, events, absent ? Object.assign(absent, state) : state, false, true)
}

/** `syncState` or `syncDiff`. */
type Reducer<Payload> = <F extends object = Record<string, unknown>>(
  state: PresenceState<F>,
  payload: Payload extends "state" ? PresenceState<F> : PresenceDiff<F>,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
) => PresenceState<F>

const reducer =
  (apply: typeof applyState) =>
  <F extends object>(
    state: PresenceState<F>,
    payload: unknown,
    onJoin?: OnJoin<F> | null,
    onLeave?: OnLeave<F> | null,
  ): PresenceState<F> => {
    assertPayload<PresenceState<F>>(state)
    const old = new Map(Object.entries(state))
    const users: Map<string, PresenceEntry<F> | undefined> = new Map(old)
    const events: PresenceEvent<F>[] = []
    apply(users, events, payload)
    const next = Object.create(null) as Record<string, PresenceEntry<F>>
    let result = state
    for (const [key, after] of users) {
      // A user that did not change stays the same object (C24), also after a device that joined and left in one diff.
      // A removed user is a change only if the state had it. Any object has a "constructor", but no entry of that name.
      const before = old.get(key)
      const presence = same(after, before) ? before : after
      if (presence) next[key] = presence
      if (presence !== before) result = next
    }
    for (const [isJoin, key, current, source, metas] of events) {
      // Callbacks get a deep copy, so that they can change neither the state nor the payload (C9).
      ;((isJoin ? onJoin : onLeave) as OnJoin<F> | null | undefined)?.(
        key,
        current,
        JSON.parse(JSON.stringify({ ...source, metas })) as PresenceEntry<F>,
      )
    }
    return result
  }

/**
 * Returns the presences after a `presence_state`: exactly the users that the server lists.
 *
 * Pure: it changes none of its arguments, `newState` included (C25), and does not use `this` (C50). Returns `state` itself if
 * nothing changed. Otherwise it returns a new object without a prototype, in which unchanged presences are the same objects
 * as before (C24).
 *
 * Calls `onJoin` for all new metas, then `onLeave` for all lost ones.
 *
 * Differences from phoenix.js: a meta with a known `phx_ref` gets the server's content, and its user the server's extras,
 * without a callback (C27); metas are in the server's order (C29); metas without `phx_ref` are identified by their JSON
 * (C19); a user without metas is not present (C20).
 *
 * @throws RollcallError `bad_frame` if `newState` is not key → `{ metas: […] }` (C48), before any callback
 */
export const syncState: Reducer<"state"> = reducer(applyState)

/**
 * Returns the presences after a `presence_diff`: after all its joins, then all its leaves.
 *
 * Pure, independent of `this`, and keeps unchanged objects, as `syncState` does. `state` may have any prototype (C3, C4). An
 * update is a join and a leave of one key: it calls `onJoin`, then `onLeave` (C16).
 *
 * Differences from phoenix.js: a join with a known `phx_ref` replaces the content in place, without a callback (C7);
 * `onLeave` is called only if a meta left (C13, C21); extras that come with a leave replace the user's (C15); metas without
 * `phx_ref` are identified by their JSON (C19); a join without metas is ignored (C20); a join is ignored if the
 * `phx_ref_prev` of a present meta names it, since it has arrived late (C45).
 *
 * @throws RollcallError `bad_frame` if `diff` is not `{ joins, leaves }` of presences (C48), before any callback
 */
export const syncDiff: Reducer<"diff"> = reducer(applyDiff)

/**
 * Returns the presences as an array, in the order of object keys (integer-like keys first, C30). Each item is the
 * presence, or what `chooser` returns for it.
 */
export function list<F extends object = Record<string, unknown>>(
  presences: PresenceState<F> | object,
): PresenceEntry<F>[]
export function list<F extends object = Record<string, unknown>, T = unknown>(
  presences: PresenceState<F> | object,
  chooser: Chooser<F, T> | null | undefined,
): T[]
export function list<F extends object, T>(
  presences: PresenceState<F> | object,
  chooser?: Chooser<F, T> | null,
): (T | PresenceEntry<F>)[] {
  return Object.entries(presences as PresenceState<F>).map(([key, user]) => (chooser ? chooser(key, user) : user))
}
