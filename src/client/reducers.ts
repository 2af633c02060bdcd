/**
 * Phoenix's presence semantics as pure functions, and the one engine that the live store runs on, too.
 *
 * The engine reads a `View` and writes into a `Draft`, never into what it reads: so a frame is applied whole or not at all.
 */
import type { Meta, PresenceDiff, PresenceEntry, PresenceState } from "../wire/presence.ts"
import { expectPresences, expectPresence } from "./frames.ts"
import { idOf, same, type Metas } from "./metas.ts"

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

/** What the engine reads: an object of presences or the live store. */
export interface View<F extends object> {
  get(key: string): PresenceEntry<F> | undefined
  keys(): Iterable<string>
}

/** What a frame writes: each touched key's new presence, `undefined` where the user is gone. */
export type Draft<F extends object> = Map<string, PresenceEntry<F> | undefined>

/** A callback that is due: `current` as it takes it, and what was sent of the user, with only the metas that moved. */
export type Movement<F extends object> = readonly [
  joined: boolean,
  key: string,
  current: PresenceEntry<F> | undefined,
  moved: PresenceEntry<F>,
]

/**
 * Applies what was sent for one user.
 *
 * A join: known metas keep their place and take the sent content (rule 7), new ones follow; extras are the sent ones (rule 6).
 * A reference that a present meta has replaced already is the older of two updates, come late, and dropped (rule 45).
 *
 * A leave: extras that come with it are news of the user, and refresh what the survivors had (rule 15).
 *
 * A state: the server wins in content, extras (rule 27) and order (rule 29).
 */
function draftUser<F extends object>(
  view: View<F>,
  draft: Draft<F>,
  moved: Movement<F>[],
  kind: "join" | "leave" | "state",
  key: string,
  sent: unknown,
): void {
  expectPresence<F>(sent, kind, key)
  const current = draft.has(key) ? draft.get(key) : view.get(key)
  if (!current && kind === "leave") return
  if (!current && sent.metas.length === 1) {
    // The commonest case, a user's first device, for which the work below would be a waste.
    draft.set(key, sent)
    moved.push([true, key, current, sent])
    return
  }
  if (kind === "state" && same(current, sent)) return
  const was: Metas<F> = new Map()
  for (const meta of current?.metas ?? []) was.set(idOf(meta, was), meta)
  const replaced = new Set<unknown>(kind === "join" ? current?.metas.map((meta) => meta.phx_ref_prev) : [])
  const after: Metas<F> = kind === "state" ? new Map() : was
  const fresh: Meta<F>[] = []
  const gone: Meta<F>[] = []
  let news = kind === "state"
  for (const meta of sent.metas) {
    const id = idOf(meta, was, after)
    const known = after.get(id) ?? was.get(id)
    if (kind === "leave") {
      if (!after.delete(id)) continue
      gone.push(meta)
      news = Object.keys(sent).length > 1
    } else if (known || !replaced.has(id)) {
      if (!known) fresh.push(meta)
      after.set(id, same(known, meta) ? known! : meta)
      news = true
    }
  }
  for (const [id, meta] of was) if (!after.has(id)) gone.push(meta)
  const next = { ...(news ? sent : current), metas: [...after.values()] }
  // Nobody is here without metas (rule 20).
  draft.set(key, after.size > 0 ? (same(current, next) ? current : next) : undefined)
  if (fresh.length > 0) moved.push([true, key, current, { ...sent, metas: fresh }])
  if (gone.length > 0) moved.push([false, key, next, { ...(kind === "state" ? current : sent), metas: gone }])
}

function draftUsers<F extends object>(
  view: View<F>,
  draft: Draft<F>,
  moved: Movement<F>[],
  kind: "join" | "leave" | "state",
  users: unknown,
): void {
  expectPresences(users, kind)
  for (const key of Object.keys(users)) draftUser(view, draft, moved, kind, key, users[key])
}

/** Drafts a whole state (rules 26–32): the server's list wins. All joins come before all leaves, in phoenix.js's order. */
export function draftState<F extends object>(
  view: View<F>,
  state: unknown,
  draft: Draft<F>,
  moved: Movement<F>[],
): void {
  const movements: Movement<F>[] = []
  draftUsers(view, draft, movements, "state", state)
  const gone: Movement<F>[] = []
  for (const key of view.keys()) {
    if (!Object.hasOwn(state as object, key)) draftUser(view, draft, gone, "leave", key, view.get(key))
  }
  // phoenix.js gathers leaves in an object, first who is gone altogether: its order is the order of that object's keys.
  const left: Record<string, Movement<F>> = Object.create(null)
  for (const movement of [...gone, ...movements]) {
    if (movement[0]) moved.push(movement)
    else left[movement[1]] = movement
  }
  for (const key in left) moved.push(left[key]!)
}

/** Drafts a diff (rules 1–23): all joins, then all leaves. `draft` may hold what the same frame did before. */
export function draftDiff<F extends object>(view: View<F>, diff: unknown, draft: Draft<F>, moved: Movement<F>[]): void {
  const { joins, leaves } = (diff ?? {}) as PresenceDiff
  draftUsers(view, draft, moved, "join", joins)
  draftUsers(view, draft, moved, "leave", leaves)
}

const copy = <T extends object>(meta: T): T => ({ ...meta })

/** Calls back for each movement, with copies of its metas: what a callback does to them cannot leak into a state (rule 9). */
export function callBack<F extends object>(
  moved: readonly Movement<F>[],
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): void {
  for (const [joined, key, current, presence] of moved) {
    const callback = (joined ? onJoin : onLeave) as OnJoin<F> | null | undefined
    callback?.(key, current, { ...presence, metas: presence.metas.map(copy) })
  }
}

function reduce<F extends object>(
  draftInto: typeof draftState<F>,
  state: PresenceState<F>,
  payload: unknown,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): PresenceState<F> {
  expectPresences(state, "current")
  const get = (key: string): PresenceEntry<F> | undefined => (Object.hasOwn(state, key) ? state[key] : undefined)
  const draft: Draft<F> = new Map()
  const moved: Movement<F>[] = []
  draftInto({ get, keys: () => Object.keys(state) }, payload, draft, moved)
  let next = state as Record<string, PresenceEntry<F>>
  for (const [key, presence] of draft) {
    if (presence === get(key)) continue
    if (next === state) next = Object.assign(Object.create(null), state)
    if (presence) next[key] = presence
    else delete next[key]
  }
  callBack(moved, onJoin, onLeave)
  return next
}

/**
 * The presences after a `presence_state`: what the server lists, and no one else.
 *
 * Pure: no argument is changed, `newState` included (rule 25); `this`-free (rule 50). Returns `state` itself if nothing
 * changed, else a new object without a prototype, in which unchanged presences are the same objects as before (rule 24).
 *
 * Calls `onJoin` for all new metas, then `onLeave` for all lost ones. Unlike phoenix.js, content and extras are the
 * server's even under a known `phx_ref`, without an event (rule 27), metas stand in the server's order (rule 29), metas
 * without `phx_ref` are told apart by content (rule 19) and a user without metas is nobody (rule 20).
 *
 * @throws RollcallError `bad_frame` if `newState` is not key → `{ metas: […] }` (rule 48), before any callback.
 */
export function syncState<F extends object = Record<string, unknown>>(
  state: PresenceState<F>,
  newState: PresenceState<F>,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): PresenceState<F> {
  return reduce(draftState<F>, state, newState, onJoin, onLeave)
}

/**
 * The presences after a `presence_diff`: all its joins, then all its leaves.
 *
 * Pure, `this`-free and identity-keeping as `syncState` is, for any prototype of `state` (rules 3, 4). An update, which is
 * a join and a leave of one key, calls `onJoin` and then `onLeave` (rule 16).
 *
 * Unlike phoenix.js, a join with a known `phx_ref` takes its place and content without an event (rule 7), `onLeave` needs a
 * meta that left (rules 13, 21), a leave's extras refresh the user's (rule 15), metas without `phx_ref` are told apart by
 * content (rule 19), a join of no metas is none (rule 20), and one that a present meta has replaced by its `phx_ref_prev`
 * came too late (rule 45).
 *
 * @throws RollcallError `bad_frame` if `diff` is not `{ joins, leaves }` of presences (rule 48), before any callback.
 */
export function syncDiff<F extends object = Record<string, unknown>>(
  state: PresenceState<F>,
  diff: PresenceDiff<F>,
  onJoin?: OnJoin<F> | null,
  onLeave?: OnLeave<F> | null,
): PresenceState<F> {
  return reduce(draftDiff<F>, state, diff, onJoin, onLeave)
}

/** The presences as an array, in object order (integer-like keys first, rule 30): each as it is, or what `chooser` picks. */
export function list<F extends object = Record<string, unknown>>(presences: PresenceState<F>): PresenceEntry<F>[]
export function list<F extends object, T>(presences: PresenceState<F>, chooser: Chooser<F, T> | null | undefined): T[]
export function list<F extends object, T>(
  presences: PresenceState<F>,
  chooser?: Chooser<F, T> | null,
): (T | PresenceEntry<F>)[] {
  return Object.entries(presences).map(([key, presence]) => (chooser ? chooser(key, presence) : presence))
}
