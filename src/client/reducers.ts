/**
 * Phoenix's presence semantics as pure functions, and the functions beneath them, which the live store uses as well.
 *
 * The latter write into a `PresenceMap` that their caller can discard, so that a frame is applied whole or not at all.
 */
import type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import { idOf, same } from "./metas.ts"
import { assertPayload, isPresence } from "./payload-checks.ts"

/** Called for each key with new metas: with the presence before the join, and with only the metas that joined. */
export type OnJoin<F extends object = Record<string, unknown>> = (
  key: string,
  current: PresenceEntry<F> | undefined,
  joined: PresenceEntry<F>,
) => void

/** Called for each key with fewer metas: with the presence after the leave (perhaps no metas), and with only the metas that left. */
export type OnLeave<F extends object = Record<string, unknown>> = (
  key: string,
  current: PresenceEntry<F>,
  left: PresenceEntry<F>,
) => void

/** Picks what `list` returns for a user; `Object.entries` order of arguments, as in phoenix.js. */
export type Chooser<F extends object, T> = (key: string, presence: PresenceEntry<F>) => T

/** Users by key. Writing `undefined` removes a user. */
export interface PresenceMap<F extends object> {
  get(key: string): PresenceEntry<F> | undefined
  set(key: string, presence: PresenceEntry<F> | undefined): void
  keys(): Iterable<string>
}

/**
 * What one call of `onJoin` or `onLeave` reports: `current` is the callback's second argument, and its third one has the
 * fields of `source` with only these `metas`.
 */
export type PresenceEvent<F extends object> = readonly [
  isJoin: boolean,
  key: string,
  current: PresenceEntry<F> | undefined,
  source: PresenceEntry<F>,
  metas: readonly Meta<F>[],
]

type Metas<F extends object> = Map<string, Meta<F>>

/**
 * Merges what was sent for one user into that user. Returns the user as it is next, and the presence that the metas leave
 * from, `current` by default.
 */
type Merge<F extends object> = (
  sent: PresenceEntry<F>,
  current: PresenceEntry<F> | undefined,
) => readonly [next: PresenceEntry<F>, leftFrom?: PresenceEntry<F>]

const metasById = <F extends object>(user: PresenceEntry<F> | undefined): Metas<F> =>
  new Map(user?.metas.map((meta) => [idOf(meta), meta]))

/** The metas of a user that another version of the user does not have. */
function missingMetas<F extends object>(
  user: PresenceEntry<F> | undefined,
  other: PresenceEntry<F> | undefined,
): readonly Meta<F>[] {
  const others = metasById(other)
  return user ? user.metas.filter((meta) => !others.has(idOf(meta))) : []
}

/** Joins of a diff: known metas keep their place and take the sent content (C7), new ones follow; extras are the sent ones (C6). */
const mergeJoins: Merge<any> = (sent, current) => {
  // A new user with one device is what was sent. Most are, and for them the rest would be wasted work.
  if (!current && sent.metas.length === 1) return [sent]
  const known = metasById(current)
  const metas = metasById(sent)
  // A meta that a present one has replaced is the older of two updates, and came too late (C45).
  for (const { phx_ref_prev } of known.values()) if (!known.has(phx_ref_prev!)) metas.delete(phx_ref_prev!)
  return [{ ...(metas.size ? sent : current), metas: [...new Map([...known, ...metas]).values()] }]
}

/** Leaves of a diff: extras that come with them replace those of the user (C15). */
const mergeLeaves: Merge<any> = (sent, current) => {
  const known = metasById(current)
  const left = sent.metas.filter((meta) => known.delete(idOf(meta)))
  const extras = left.length && Object.keys(sent).length > 1 ? sent : current
  return [
    { ...extras, metas: [...known.values()] },
    { ...sent, metas: left },
  ]
}

/** A user of a whole state: the server wins in content, extras (C27) and order (C29). */
const mergeState: Merge<any> = (sent, current) => {
  // A rejoin finds most users unchanged. A user without metas goes on, for it must be removed (C20).
  if (sent.metas.length && same(current, sent)) return [current!]
  return [{ ...(sent.metas.length ? sent : current), metas: [...metasById(sent).values()] }]
}

/** Merges each user of a payload into `users`. */
function mergeUsers<F extends object>(
  users: PresenceMap<F>,
  events: PresenceEvent<F>[],
  payload: unknown,
  merge: Merge<F>,
): void {
  assertPayload(payload)
  for (const [key, sent] of Object.entries(payload)) {
    assertPayload<PresenceEntry<F>>(sent, isPresence)
    const current = users.get(key)
    const [next, leftFrom = current] = merge(sent, current)
    if (next === current) continue
    const joined = missingMetas(next, current)
    const left = missingMetas(leftFrom, next)
    // A user without metas is removed (C20), and one that did not change stays the same object (C24).
    users.set(key, next.metas.length ? (same(current, next) ? current : next) : undefined)
    if (joined.length) events.push([true, key, current, sent, joined])
    if (left.length) events.push([false, key, next, leftFrom!, left])
  }
}

/** Applies a diff (C1–C23): all joins, then all leaves. */
export function applyDiff<F extends object>(users: PresenceMap<F>, events: PresenceEvent<F>[], diff: unknown): void {
  mergeUsers(users, events, (diff as PresenceDiff | undefined)?.joins, mergeJoins)
  mergeUsers(users, events, (diff as PresenceDiff | undefined)?.leaves, mergeLeaves)
}

/** Applies a whole state (C26–C32). Its events are all joins, then all leaves. */
export function applyState<F extends object>(users: PresenceMap<F>, events: PresenceEvent<F>[], state: unknown): void {
  assertPayload(state)
  // Users that the state lacks have no metas in it. They come first, in one object with all others: phoenix.js calls back for
  // leaves in the order of such an object's keys, integer-like keys before all others.
  let absent: Record<string, unknown> | undefined
  for (const key of users.keys()) {
    if (!Object.hasOwn(state, key)) (absent ??= Object.create(null) as Record<string, unknown>)[key] = { metas: [] }
  }
  mergeUsers(users, events, absent ? Object.assign(absent, state) : state, mergeState)
  events.sort(([isJoin], [isOtherJoin]) => +isOtherJoin - +isJoin)
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
    const users: Map<string, PresenceEntry<F> | undefined> = new Map(Object.entries(state))
    const events: PresenceEvent<F>[] = []
    apply(users, events, payload)
    const next: Record<string, PresenceEntry<F>> = Object.create(null)
    let changed: boolean | undefined
    for (const [key, presence] of users) {
      if (presence) next[key] = presence
      // A removed user is a change only if it was in the state. Any object has a "constructor", so a lookup does not tell.
      changed ||= presence ? presence !== state[key] : Object.hasOwn(state, key)
    }
    for (const [isJoin, key, current, source, metas] of events) {
      // A deep copy, so that what a callback does to it changes neither the state nor the payload (C9).
      ;((isJoin ? onJoin : onLeave) as OnJoin<F> | null | undefined)?.(
        key,
        current,
        JSON.parse(JSON.stringify({ ...source, metas })),
      )
    }
    return changed ? next : state
  }

/**
 * The presences after a `presence_state`: what the server lists, and no one else.
 *
 * Pure: no argument is changed, `newState` included (C25); `this`-free (C50). Returns `state` itself if nothing
 * changed, else a new object without a prototype, in which unchanged presences are the same objects as before (C24).
 *
 * Calls `onJoin` for all new metas, then `onLeave` for all lost ones. Unlike phoenix.js, content and extras are the
 * server's even under a known `phx_ref`, without an event (C27), metas stand in the server's order (C29), metas
 * without `phx_ref` are told apart by their JSON (C19) and a user without metas is nobody (C20).
 *
 * @throws RollcallError `bad_frame` if `newState` is not key → `{ metas: […] }` (C48), before any callback.
 */
export const syncState: Reducer<"state"> = reducer(applyState)

/**
 * The presences after a `presence_diff`: all its joins, then all its leaves.
 *
 * Pure, `this`-free and identity-keeping as `syncState` is, for any prototype of `state` (C3, C4). An update, which is
 * a join and a leave of one key, calls `onJoin` and then `onLeave` (C16).
 *
 * Unlike phoenix.js, a join with a known `phx_ref` takes its place and content without an event (C7), `onLeave` needs a
 * meta that left (C13, C21), a leave's extras refresh the user's (C15), metas without `phx_ref` are told apart by
 * their JSON (C19), a join of no metas is none (C20), and one that a present meta has replaced by its `phx_ref_prev`
 * came too late (C45).
 *
 * @throws RollcallError `bad_frame` if `diff` is not `{ joins, leaves }` of presences (C48), before any callback.
 */
export const syncDiff: Reducer<"diff"> = reducer(applyDiff)

/** The presences as an array, in object order (integer-like keys first, C30): each as it is, or what `chooser` picks. */
export function list<F extends object = Record<string, unknown>>(presences: PresenceState<F>): PresenceEntry<F>[]
export function list<F extends object = Record<string, unknown>, T = unknown>(
  presences: PresenceState<F>,
  chooser: Chooser<F, T> | null | undefined,
): T[]
export function list<F extends object, T>(
  presences: PresenceState<F>,
  chooser?: Chooser<F, T> | null,
): (T | PresenceEntry<F>)[] {
  return Object.keys(presences).map((key) => (chooser ? chooser(key, presences[key]!) : presences[key]!))
}
