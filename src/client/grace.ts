/**
 * What is shown of what the server says: a leave is held for a while, because the user may be back in a moment; a user that left
 * may stay in the view for a while, marked; and a lost connection is reported after a while.
 *
 * The server's view is not kept a second time: it is the shown one, except for the users that are held or kept.
 */
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import type { Clock } from "../timers.ts"
import type { Cause } from "./change.ts"
import { idOf, surelySame } from "./metas.ts"
import type { PresenceEvent } from "./reducers.ts"
import type { RoomOptions } from "./room-options.ts"
import type { Status, Store } from "./store.ts"

/** How many users that left are kept at most. The oldest are removed first. */
const MAX_KEPT = 1_000

/**
 * A user of which the server has less than is shown. `until` is of the monotonic clock, `leftAt` of the wall clock. One that left
 * and is kept has no more than a deadline.
 */
type Waiting<F extends object> = readonly [until: number, truth?: PresenceEntry<F> | undefined, leftAt?: number]

/** What the next room of a topic takes over. */
type Memory<F extends object> = readonly [waiting: Map<string, Waiting<F>>, lostAt: number]

/** The part of a store that `Sync` writes to. It reads what the server says. */
export interface Grace<F extends object> extends Pick<Store<F>, "get" | "keys" | "commit"> {
  /** Whether an outage has lasted for `lostConnectionMs`. */
  readonly isLost: boolean
  /** Sets the status of the store; `closed` ends the timer. `isOutage` is whether the connection is lost for now. */
  setStatus(status: Status, isOutage?: boolean): void
  /** Returns what the next room of the topic needs. To be called before the status is `closed`. */
  handOver(): Memory<F>
}

/**
 * Returns a layer above a store. It has one timer, for the earliest deadline.
 *
 * While the room is not live, no leave is shown. Once it is live again, held leaves wait for the whole time of grace, because a
 * user that came back meanwhile could not be seen.
 *
 * @param wallClock returns ms since 1970
 * @param memory that of the layer whose store this store began with
 */
export function createGrace<F extends object>(
  store: Store<F>,
  { graceMs = 0, keepLeftMs = 0, lostConnectionMs = 5_000 }: RoomOptions,
  timers: Clock,
  wallClock: () => number = Date.now,
  memory?: Memory<F>,
): Grace<F> {
  const { left } = store
  const waiting = memory?.[0] ?? new Map<string, Waiting<F>>()
  /** From when on the connection is lost. */
  let lostAt = memory?.[1] ?? Infinity
  let timer: unknown
  let timerAt = Infinity

  const get = (key: string): PresenceEntry<F> | undefined => {
    const user = waiting.get(key)
    return user ? user[1] : store.get(key)
  }

  /** What is to be written, and who of it is kept. */
  let shown = new Map<string, PresenceEntry<F> | undefined>()
  let kept = new Set<string>()

  const arm = (at: number): void => {
    if (at >= timerAt) return
    timers.clear(timer)
    timerAt = at
    timer = timers.set(look, at - timers.now())
  }

  const wait = (key: string, ...user: Waiting<F>): void => {
    waiting.set(key, user)
    arm(user[0])
  }

  /** Shows what the server says. A user that left is kept, unless it was. */
  const show = (key: string, truth: PresenceEntry<F> | undefined, leftAt: number): void => {
    shown.set(key, truth)
    if (truth || !keepLeftMs || left.has(key)) return
    wait(key, timers.now() + keepLeftMs)
    kept.add(key)
    shown.set(key, { ...store.get(key)!, leftAt })
  }

  /** Writes each user once, because what follows the changes of a frame expects no more than one of a user. */
  const flush = (cause?: Cause, events?: readonly PresenceEvent<F>[]): void => {
    if (left.size + kept.size > MAX_KEPT) {
      const all = [...left, ...kept].filter((key) => kept.has(key) || !shown.has(key))
      for (const key of all.slice(0, -MAX_KEPT)) {
        waiting.delete(key)
        kept.delete(key)
        shown.set(key, undefined)
      }
    }
    store.commit(shown, cause, events, kept)
    shown = new Map()
    kept = new Set()
  }

  const look = (): void => {
    const now = timers.now()
    timerAt = Infinity
    if (lostAt > now) arm(lostAt)
    else store.touch()
    for (const [key, [until, truth, leftAt]] of waiting) {
      if (store.status !== "live" && !left.has(key)) continue
      if (until > now) arm(until)
      else {
        waiting.delete(key)
        show(key, truth, leftAt!)
      }
    }
    flush()
    store.notify()
  }

  const commit: Store<F>["commit"] = (changes, cause, events) => {
    for (const [key, truth] of changes) {
      const before = get(key)
      if (truth === before) continue
      const last = store.get(key)
      const [until, , leftAt] = waiting.get(key) ?? []
      waiting.delete(key)
      const lost = sizeOf(last) - sizeOf(truth)
      // A user that is kept has left already.
      if (lost > 0 && graceMs && !left.has(key)) {
        // Only a further leave prolongs the time. Otherwise a device that left would stay as long as another one changes.
        if (sizeOf(truth) < sizeOf(before)) wait(key, timers.now() + graceMs, truth, wallClock())
        else wait(key, until!, truth, leftAt!)
        const presence = { ...(truth ?? last!), metas: merge(last!.metas, truth?.metas) }
        shown.set(key, surelySame(presence, last) ? last : presence)
      } else show(key, truth, wallClock())
    }
    flush(cause, events)
  }

  const isOff = !graceMs && !keepLeftMs
  if (memory) arm(timers.now())
  return {
    get isLost() {
      return lostAt <= timers.now()
    },
    get: isOff ? store.get : get,
    keys: store.keys,
    commit: isOff ? store.commit : commit,
    setStatus(next, isOutage) {
      const now = timers.now()
      if (next === "live" && store.status !== next)
        for (const [key, [, ...rest]] of waiting) if (!left.has(key)) wait(key, now + graceMs, ...rest)
      store.setStatus(next)
      if (!isOutage) lostAt = Infinity
      else if (lostAt === Infinity) arm((lostAt = now + lostConnectionMs))
      if (next === "closed") timers.clear(timer)
    },
    handOver: () => [waiting, lostAt],
  }
}

const sizeOf = (presence: PresenceEntry<object> | undefined): number => presence?.metas.length ?? 0

const contentOf = (meta: Meta<object>): string => {
  const { phx_ref: _ref, phx_ref_prev: _previous, ...content } = meta
  try {
    return JSON.stringify(content)
  } catch {
    // A schema may have made what JSON cannot write, such as a BigInt, and a meta may be nested too deeply.
    return idOf(meta)
  }
}

/**
 * Returns the shown metas, of which there are more, with those of the server in their places: first where the ref or the
 * `phx_ref_prev` says so. A device that joined takes the place of one that left, because it is the same one after a reload: if
 * possible of one with equal content, so that no other device seems to change.
 */
function merge<F extends object>(shown: readonly Meta<F>[], truth: readonly Meta<F>[] = []): Meta<F>[] {
  const joined = new Set(truth)
  const placed = new Set<Meta<F>>()
  const index = new Map<string | undefined, Meta<F>>()
  for (const meta of truth) index.set(meta.phx_ref_prev, meta).set(contentOf(meta), meta)
  for (const meta of truth) index.set(idOf(meta), meta)
  let metas = [...shown]
  for (const match of [
    (meta: Meta<F>) => index.get(idOf(meta)),
    (meta: Meta<F>) => index.get(contentOf(meta)),
    () => joined.values().next().value,
  ])
    metas = metas.map((meta) => {
      const now = placed.has(meta) ? undefined : match(meta)
      if (!now || !joined.delete(now)) return meta
      placed.add(now)
      return now
    })
  return metas
}
