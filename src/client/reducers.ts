/**
 * Phoenix's presence semantics as pure functions, and the one engine that the live store runs on, too.
 *
 * The engine works on a `PresenceMap` that its caller lays over what must stay as it is: so a frame is applied whole or not at all.
 */
import type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import { expect, isPresence } from "./payload-checks.ts"
import { idOf, same } from "./metas.ts"

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

/** What the engine reads and writes: users by key, `undefined` where a user is gone. */
export interface PresenceMap<F extends object> {
  get(key: string): PresenceEntry<F> | undefined
  set(key: string, presence: PresenceEntry<F> | undefined): void
  keys(): Iterable<string>
}

/** A callback that is due: `current` as it takes it, the presence that the moved metas came in, and those metas. */
export type Movement<F extends object> = readonly [
  joined: boolean,
  key: string,
  current: PresenceEntry<F> | undefined,
  source: PresenceEntry<F>,
  metas: readonly Meta<F>[],
]

/**
 * Applies what was sent for some users, or, with `whole`, for all of them, so that who is not among them has no metas left;
 * all that joined comes before all that left.
 *
 * A join: known metas keep their place and take the sent content (C7), new ones follow; extras are the sent ones (C6).
 * A reference that a present meta has replaced already is the older of two updates, come late, and dropped (C45).
 *
 * A leave: extras that come with it are news of the user, and refresh what the survivors had (C15).
 *
 * The whole: the server wins in content, extras (C27) and order (C29).
 */
function applyUsers<F extends object>(
  view: PresenceMap<F>,
  moved: Movement<F>[],
  payload: unknown,
  leaving?: boolean,
  whole?: boolean,
): void {
  expect(payload)
  // phoenix.js gathers leaves in an object, those who are gone altogether first: this object has its order of keys.
  let absent: Record<string, unknown> | undefined
  for (const key of whole ? view.keys() : []) {
    if (!Object.hasOwn(payload, key)) (absent ??= Object.create(null) as Record<string, unknown>)[key] = { metas: [] }
  }
  const users = absent ? Object.assign(absent, payload) : payload
  const left: Movement<F>[] = []
  for (const key of Object.keys(users)) {
    const sent: unknown = users[key]
    expect<PresenceEntry<F>>(sent, isPresence)
    const current = view.get(key)
    // A rejoin finds most users as they were; one without metas is to be cleared away all the same (C20).
    if (!leaving && sent.metas.length && same(current, sent)) continue
    let next: PresenceEntry<F> | undefined = sent
    let fresh = sent.metas as Meta<F>[]
    const gone: Meta<F>[] = []
    // A new user with one device is what was sent: the commonest case, and the work below would be a waste.
    if (current || leaving || fresh.length > 1) {
      const was = new Map(current?.metas.map((meta) => [idOf(meta), meta]))
      const after: typeof was = whole ? new Map() : was
      fresh = []
      next = current
      for (const meta of sent.metas) {
        const id = idOf(meta)
        if (!was.has(id) && !after.has(id)) {
          if (leaving || (!whole && current?.metas.some((each) => each.phx_ref_prev === id))) continue
          fresh.push(meta)
        }
        if (leaving) {
          after.delete(id)
          gone.push(meta)
        } else after.set(id, meta)
        // From here on, `next` is whose extras count.
        if (!leaving || Object.keys(sent).length > 1) next = sent
      }
      for (const [id, meta] of was) if (!after.has(id)) gone.push(meta)
      next = { ...next, metas: [...after.values()] }
      if (same(current, next)) next = current!
    }
    // Nobody is here without metas (C20).
    view.set(key, next.metas.length ? next : undefined)
    if (fresh.length) moved.push([true, key, current, sent, fresh])
    if (gone.length) left.push([false, key, next, leaving ? sent : current!, gone])
  }
  for (const movement of left) moved.push(movement)
}

/** Applies a whole state (C26–C32): the server's list wins. */
export function applyState<F extends object>(view: PresenceMap<F>, moved: Movement<F>[], state: unknown): void {
  applyUsers(view, moved, state, false, true)
}

/** Applies a diff (C1–C23): all joins, then all leaves. */
export function applyDiff<F extends object>(view: PresenceMap<F>, moved: Movement<F>[], diff: unknown): void {
  applyUsers(view, moved, (diff as PresenceDiff | undefined)?.joins)
  applyUsers(view, moved, (diff as PresenceDiff | undefined)?.leaves, true)
}

function reduce<F extends object>(
  state: PresenceState<F>,
  payload: unknown,
  onJoin: OnJoin<F> | null | undefined,
  onLeave: OnLeave<F> | null | undefined,
  apply: typeof applyState<F>,
): PresenceState<F> {
  expect<PresenceState<F>>(state)
  const view = new Map<string, PresenceEntry<F> | undefined>()
  const moved: Movement<F>[] = []
  for (const key of Object.keys(state)) view.set(key, state[key])
  apply(view, moved, payload)
  const next: Record<string, PresenceEntry<F>> = Object.create(null)
  let changed: boolean | undefined
  for (const [key, presence] of view) {
    if (presence) next[key] = presence
    // Under a key like "constructor" any object has something: who is gone must have been here to be a change.
    changed ||= presence ? presence !== state[key] : Object.hasOwn(state, key)
  }
  for (const [joined, key, current, source, metas] of moved) {
    // What a callback does to its copy, however deep inside, cannot leak into a state or a payload (C9).
    ;((joined ? onJoin : onLeave) as OnJoin<F> | null | undefined)?.(
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
export function syncState<F extends object = Record<string, unknown>>(
  state: PresenceState<F>,
  newState: PresenceState<F>,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): PresenceState<F> {
  return reduce(state, newState, onJoin, onLeave, applyState<F>)
}

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
export function syncDiff<F extends object = Record<string, unknown>>(
  state: PresenceState<F>,
  diff: PresenceDiff<F>,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): PresenceState<F> {
  return reduce(state, diff, onJoin, onLeave, applyDiff<F>)
}

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
