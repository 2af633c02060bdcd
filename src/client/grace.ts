/**
 * What is shown of what the server says: a leave is held for a while, because the user may be back in a moment, and a user
 * that left can stay in the view for a while, marked. A reload, a change of pages or a deploy then shows nothing.
 *
 * The server's view is not kept a second time: it is the shown one, except for the users that are held or kept.
 */
import type { Meta, PresenceEntry } from "../wire/presence-payloads.ts"
import type { Clock } from "../timers.ts"
import { idOf, same } from "./metas.ts"
import type { Status, Store } from "./store.ts"

/** How many users that left are kept at most. The oldest are removed first. */
const MAX_KEPT = 1_000

/** A user of which the server has fewer devices than are shown. */
type Hold<F extends object> = {
  /** The user as the server says, `undefined` if it left. */
  truth: PresenceEntry<F> | undefined
  /** The metas that are shown although they left, and until when, by the monotonic clock. */
  readonly leaves: Map<Meta<F>, number>
  /** When its last change came, by the wall clock. */
  readonly changedAt: number
}

/** What the next room of a topic takes over. */
type Memory<F extends object> = readonly [
  held: Map<string, Hold<F>>,
  /** When a leave of a user is to be shown, earliest first. One that was cancelled stays, and has no effect. */
  queue: Set<readonly [due: number, key: string]>,
  /** Until when users that left are kept, earliest first. */
  kept: Map<string, number>,
]

/** The part of a store that `Sync` uses. Reads return what the server says. */
export interface Grace<F extends object> extends Pick<Store<F>, "get" | "keys" | "commit" | "setStatus"> {
  /** Returns what the next room of the topic needs. To be called before the status is `closed`. */
  handOver(): Memory<F>
}

/**
 * Returns a layer above a store. It has one timer, for the earliest deadline, and none once its status is `closed`.
 *
 * @param graceMs for how long a leave is held, in ms. While the room is not live no leave is shown; once it is live again, the
 * time starts anew, because a user that came back meanwhile could not be seen.
 * @param keepLeftMs for how long a user that left is kept, in ms
 * @param wallClock returns ms since 1970
 * @param memory that of the layer whose store this store began with
 */
export function createGrace<F extends object>(
  store: Store<F>,
  graceMs: number,
  keepLeftMs: number,
  timers: Clock,
  wallClock: () => number = Date.now,
  memory: Memory<F> = [new Map(), new Set(), new Map()],
): Grace<F> {
  const [held, queue, kept] = memory
  let timer: unknown
  let timerAt = Infinity

  const get = (key: string): PresenceEntry<F> | undefined => {
    const hold = held.get(key)
    return hold ? hold.truth : store.left.has(key) ? undefined : store.get(key)
  }

  const show = (key: string, presence: PresenceEntry<F> | undefined, leftAt: number): void => {
    const isKept = !presence && keepLeftMs > 0
    if (isKept) kept.set(key, timers.now() + keepLeftMs)
    const shown = store.get(key)
    store.commit(new Map([[key, same(presence, shown) ? shown : presence]]), isKept ? leftAt : undefined)
  }

  const schedule = (): void => {
    const { status } = store
    const [leave] = status === "live" ? queue : []
    const [keep] = status === "closed" ? [] : kept.values()
    const next = Math.min(leave?.[0] ?? Infinity, keep ?? Infinity)
    if (next === timerAt) return
    timers.clear(timer)
    timerAt = next
    if (next < Infinity) timer = timers.set(look, Math.max(0, next - timers.now()))
  }

  /** Shows what is due. */
  const settle = (): void => {
    const now = timers.now()
    for (const item of store.status === "live" ? queue : []) {
      const [due, key] = item
      if (due > now) break
      queue.delete(item)
      const hold = held.get(key)
      if (!hold) continue
      const { truth, leaves, changedAt } = hold
      const gone = new Set<Meta<F>>()
      for (const [meta, until] of leaves) if (until <= now && leaves.delete(meta)) gone.add(meta)
      const shown = store.get(key)!
      if (leaves.size > 0) show(key, { ...shown, metas: shown.metas.filter((meta) => !gone.has(meta)) }, 0)
      else if (held.delete(key)) show(key, truth, changedAt)
    }
    for (const [key, until] of kept) {
      if (until > now && kept.size <= MAX_KEPT) break
      kept.delete(key)
      store.commit(new Map([[key, undefined]]))
    }
    schedule()
  }

  const look = (): void => {
    timerAt = Infinity
    settle()
    store.notify()
  }

  schedule()
  return {
    get,
    keys: store.keys,
    commit(changes) {
      const due = timers.now() + graceMs
      for (const [key, truth] of changes) {
        if (truth === get(key)) continue
        const shown = store.get(key)
        const hold = held.get(key)
        const leaves = new Map<Meta<F>, number>()
        let presence = truth
        // A user that is kept has left already.
        if (!kept.delete(key) && shown && graceMs) {
          const metas = merge(shown.metas, truth?.metas ?? [], (meta) =>
            leaves.set(meta, hold?.leaves.get(meta) ?? due),
          )
          presence = { ...(truth ?? shown), metas }
        }
        held.delete(key)
        if (leaves.size > 0) {
          held.set(key, { truth, leaves, changedAt: wallClock() })
          queue.add([due, key])
        } else presence = truth
        show(key, presence, wallClock())
      }
      settle()
    },
    setStatus(next: Status) {
      if (next === "live" && store.status !== next) {
        const due = timers.now() + graceMs
        queue.clear()
        for (const [key, { leaves }] of held) {
          for (const meta of leaves.keys()) leaves.set(meta, due)
          queue.add([due, key])
        }
      }
      store.setStatus(next)
      schedule()
    },
    handOver: () => memory,
  }
}

/** What a shown meta and one of the server have in common if the second continues the first, best match first. */
const MATCHES: readonly (readonly [
  ofShown: (meta: Meta<object>) => unknown,
  ofTruth: (meta: Meta<object>) => unknown,
])[] = [
  [idOf, idOf],
  [({ phx_ref }) => phx_ref ?? NaN, ({ phx_ref_prev }) => phx_ref_prev],
  [contentOf, contentOf],
  [() => 0, () => 0],
]

function contentOf(meta: Meta<object>): string {
  return JSON.stringify({ ...meta, phx_ref: 0, phx_ref_prev: 0 })
}

/**
 * Returns the shown metas with those of the server in their places, then the server's others. A device that joins takes the place
 * of one that left, if possible of one with equal content: it is the same one after a reload. The metas that are left are held.
 */
function merge<F extends object>(
  shown: readonly Meta<F>[],
  truth: readonly Meta<F>[],
  hold: (meta: Meta<F>) => void,
): Meta<F>[] {
  const joined = new Set(truth)
  const places: (Meta<F> | undefined)[] = shown.map(() => undefined)
  for (const [ofShown, ofTruth] of MATCHES) {
    const index = new Map<unknown, Meta<F>[]>()
    for (const meta of joined) {
      const same = index.get(ofTruth(meta))
      if (same) same.push(meta)
      else index.set(ofTruth(meta), [meta])
    }
    if (index.size === 0) break
    shown.forEach((meta, at) => {
      const match = places[at] ? undefined : index.get(ofShown(meta))?.shift()
      if (!match) return
      places[at] = match
      joined.delete(match)
    })
  }
  const metas = places.map((place, at) => {
    if (place) return place
    hold(shown[at]!)
    return shown[at]!
  })
  return [...metas, ...joined]
}
