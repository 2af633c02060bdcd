/** Follows the users of a room: all of them at first, and then only those that changed. */
import type { Undo } from "../listeners.ts"
import type { Room } from "./room.ts"
import type { Entry, Snapshot } from "./store.ts"
import type { Source } from "./view.ts"

/** The part of a room that is followed. A `Presence`'s `store` has it, too. */
export type Followed<F extends object> = Pick<Room<F>, "getSnapshot" | "subscribe" | "onChange">

/** A user, and its place in the order of first arrival. The first number may be any. */
export type Arrival<F extends object> = { readonly user: Entry<F>; order: number }

/** Takes users out of a collection, and then puts others in. An updated user is in both. */
export type Put<F extends object> = (left: readonly Arrival<F>[], came: readonly Arrival<F>[]) => void

/** The new entry of a user; without one, it is gone. `order` is its place; by default, that of its former entry or the last one. */
type Step<F extends object> = { key: string; current?: Entry<F> | undefined; order?: number }

/**
 * Keeps a collection up to date. Its snapshot is another object after each change of the collection. The room is listened to as
 * long as the source has a subscriber; without one, each read compares all users with those of the last read.
 *
 * @param create returns what fills an empty collection, to be called again after it has thrown
 */
export function follow<F extends object>(room: Followed<F>, create: () => Put<F>): Source<object> {
  let put: Put<F>
  let arrivals: Map<string, Arrival<F>> | undefined
  let version = {}
  let count = 0
  let seen: Snapshot<F> | undefined
  let subscribers = 0
  let undo: Undo | undefined

  const apply = (all: Map<string, Arrival<F>>, changes: readonly Step<F>[]): void => {
    const left: Arrival<F>[] = []
    const came: Arrival<F>[] = []
    for (const { key, current, order } of changes) {
      const before = all.get(key)
      if (before) left.push(before)
      if (current) {
        const arrival = { user: current, order: order ?? before?.order ?? count++ }
        all.set(key, arrival)
        came.push(arrival)
      } else all.delete(key)
    }
    if (left.length + came.length === 0) return
    version = {}
    // What is half done after an error is forgotten.
    arrivals = undefined
    put(left, came)
    arrivals = all
  }

  /** Compares all users, unless those are known. */
  const read = (): object => {
    if (arrivals && (undo || seen === room.getSnapshot())) return version
    if (!arrivals) put = create()
    const all = (arrivals ??= new Map<string, Arrival<F>>())
    seen = room.getSnapshot()
    const { users, get } = seen
    // What changed is taken out before the others get new numbers, so that it is found by its old one.
    const old = Array.from(all.values()).filter(({ user }) => get(user.key) !== user)
    apply(
      all,
      old.map(({ user: { key } }) => ({ key })),
    )
    const changes: Step<F>[] = []
    for (const current of users) {
      const order = count++
      const known = all.get(current.key)
      if (known) known.order = order
      else changes.push({ key: current.key, current, order })
    }
    apply(all, changes)
    return version
  }

  return {
    getSnapshot: read,
    subscribe(listener) {
      if (!undo) {
        // Before the users are read, because a held room is joined by this, and may have a view at once.
        const listening = room.onChange((changes) => arrivals && apply(arrivals, changes), { silent: true })
        read()
        undo = listening
      }
      const unsubscribe = room.subscribe(listener)
      subscribers++
      let isSubscribed = true
      return () => {
        if (!isSubscribed) return
        isSubscribed = false
        unsubscribe()
        if (--subscribers > 0) return
        undo?.()
        undo = undefined
      }
    },
  }
}
