/** Values that are computed from the snapshots of a room, for the parts of a page that show only these. */
import type { Undo } from "../listeners.ts"
import type { Snapshot, Store } from "./store.ts"

/**
 * A value that changes. `getSnapshot` returns the same value until it changes, and `subscribe` calls `listener` after it
 * has changed. Both work unbound, as React's `useSyncExternalStore` takes them.
 */
export interface View<T> {
  readonly getSnapshot: () => T
  readonly subscribe: (listener: () => void) => Undo
}

/** Returns the view of what `selector` returns for the current snapshot. The selector runs once for each snapshot. */
export function select<F extends object, T>(
  store: Pick<Store<F>, "getSnapshot" | "watch">,
  selector: (snapshot: Snapshot<F>) => T,
  isEqual: (a: T, b: T) => boolean = Object.is,
): View<T> {
  let from: Snapshot<F> | undefined
  let value: T
  const getSnapshot = (): T => {
    const snapshot = store.getSnapshot()
    if (snapshot !== from) {
      const next = selector(snapshot)
      if (!from || !isEqual(value, next)) value = next
      from = snapshot
    }
    return value
  }
  return {
    getSnapshot,
    subscribe(listener) {
      let seen = getSnapshot()
      return store.watch((isSilent) => {
        const before = seen
        seen = getSnapshot()
        if (!isSilent && !Object.is(seen, before)) listener()
      })
    },
  }
}
