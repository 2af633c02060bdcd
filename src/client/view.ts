/** Values that are computed from the snapshots of a room, for the parts of a page that show only these. */
import type { Undo } from "../listeners.ts"

/**
 * A value that changes. `getSnapshot` returns the same value until it changes, and `subscribe` calls `listener` after it
 * has changed. Both work unbound, as React's `useSyncExternalStore` takes them.
 */
export interface View<T> {
  readonly getSnapshot: () => T
  readonly subscribe: (listener: () => void) => Undo
}

/** Returns the view of what `selector` returns for the current snapshot. The selector runs once for each snapshot. */
export function select<From, T>(
  store: { readonly getSnapshot: () => From; readonly watch: (listener: (isSilent?: boolean) => void) => Undo },
  selector: (snapshot: From) => T,
  isEqual: (a: T, b: T) => boolean = Object.is,
): View<T> {
  const nothing = {}
  let from: unknown = nothing
  let value: T
  const getSnapshot = (): T => {
    const snapshot = store.getSnapshot()
    if (snapshot !== from) {
      const next = selector(snapshot)
      if (from === nothing || !isEqual(value, next)) value = next
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
