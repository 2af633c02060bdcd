/** Values that are computed from the snapshots of a room, for the parts of a page that show only these. */
import { ListenerSet, type Undo } from "../listeners.ts"
import type { Entry, Store } from "./store.ts"

/**
 * A value that changes. `getSnapshot` returns the same value until it changes, and `subscribe` calls `listener` after it
 * has changed. Both work unbound, as React's `useSyncExternalStore` takes them.
 */
export interface View<T> {
  readonly getSnapshot: () => T
  readonly subscribe: (listener: () => void) => Undo
}

/** A view, such as a room, whose listeners are also called when only references changed: then `isSilent` is true. */
export interface Source<T> {
  readonly getSnapshot: () => T
  readonly subscribe: (listener: (isSilent: boolean) => void) => Undo
}

/** Returns the view of what `selector` returns for the current snapshot. The selector runs once for each snapshot. */
export function select<S, T>(
  source: Source<S>,
  selector: (snapshot: S) => T,
  isEqual: (a: T, b: T) => boolean = Object.is,
): View<T> {
  let from: readonly [S] | undefined
  let value: T
  const getSnapshot = (): T => {
    const snapshot = source.getSnapshot()
    if (snapshot !== from?.[0]) {
      const next = selector(snapshot)
      if (!from || !isEqual(value, next)) value = next
      from = [snapshot]
    }
    return value
  }
  return {
    getSnapshot,
    subscribe(listener) {
      let seen = getSnapshot()
      return source.subscribe((isSilent) => {
        const before = seen
        seen = getSnapshot()
        if (!isSilent && !Object.is(seen, before)) listener()
      })
    },
  }
}

/**
 * Returns a function that returns the view of one user. All of them together listen to the store once, and a change costs only
 * the listeners of its user.
 */
export function createUserViews<F extends object>(
  store: Store<F>,
  failed: (cause: unknown) => void,
): (key: string) => View<Entry<F> | undefined> {
  const all = new Map<string, ListenerSet<[]>>()
  let isListening = false
  return (key) => ({
    getSnapshot: () => store.entry(key),
    subscribe(listener) {
      if (!isListening) {
        store.onChange((changes) => {
          for (const change of changes) all.get(change.key)?.emit(failed)
        })
      }
      isListening = true
      const listeners = all.get(key) ?? new ListenerSet()
      all.set(key, listeners)
      const undo = listeners.add(listener)
      return () => {
        undo()
        if (!listeners.size && all.get(key) === listeners) all.delete(key)
      }
    },
  })
}
