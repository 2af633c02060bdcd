/** The users of a room in an order, for long lists. */
import { follow, type Arrival, type Followed } from "./arrivals.ts"
import { insert, remove } from "./sorted-list.ts"
import type { Entry } from "./store.ts"
import { select, type View } from "./view.ts"

/** The users of a room in an order. */
export interface Sorted<F extends object = Record<string, unknown>> extends View<readonly Entry<F>[]> {
  /**
   * Returns the view of the users from place `from`, 0 for the first, up to and without place `to`. There is nothing before the
   * first place and after the last one. Its array is the same object, and its listeners are not called, until these users change.
   */
  window(from: number, to: number): View<readonly Entry<F>[]>
}

/** Whether so many changes of a list cost less if the list is sorted as a whole. */
const areMany = (changes: number, size: number): boolean => changes > Math.max(16, size / 32)

const isSameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, at) => each === b[at])

/**
 * Returns the users of a room in the order of `compare`, and in order of first arrival where it returns 0. The order is kept
 * up to date while the view, or a window of it, has a subscriber: for each user that changed, a few places are compared.
 *
 * `compare` must depend on nothing but the two entries.
 */
export function sortBy<F extends object>(room: Followed<F>, compare: (a: Entry<F>, b: Entry<F>) => number): Sorted<F> {
  let sorted: Arrival<F>[]
  const order = (a: Arrival<F>, b: Arrival<F>): number => compare(a.user, b.user) || a.order - b.order
  const source = follow(room, () => {
    sorted = []
    return (left, came) => {
      if (areMany(left.length + came.length, sorted.length)) {
        const gone = new Set(left)
        // The former items are one sorted run, which is not sorted again but merged.
        sorted = sorted.filter((each) => !gone.has(each)).concat(came)
        sorted.sort(order)
        return
      }
      for (const each of left) remove(sorted, each, order)
      for (const each of came) insert(sorted, each, order)
    }
  })
  const window = (from: number, to: number): View<readonly Entry<F>[]> =>
    select(
      source,
      () => Object.freeze(sorted.slice(Math.max(from, 0), Math.max(to, 0)).map(({ user }) => user)),
      isSameList,
    )
  return { ...window(0, Infinity), window }
}
