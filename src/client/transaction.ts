/** The changes of one frame, buffered over a base that they reach only by a commit: a frame is applied whole or not at all. */
import type { PresenceEntry } from "../wire/presence-payloads.ts"
import { same } from "./metas.ts"
import type { PresenceMap } from "./reducers.ts"

/** The new presence of each key that was written; `undefined` removes the user. */
export type Changes<F extends object> = Map<string, PresenceEntry<F> | undefined>

/** Returns the users of `base` with the changes. What is written goes to the changes. */
export const buffered = <F extends object>(
  { get, keys }: Omit<PresenceMap<F>, "set">,
  changes: Changes<F> = new Map(),
): PresenceMap<F> => ({
  // The check of `size` spares a lookup: after a rejoin without changes, each user costs only the lookup in the base.
  get: (key) => (changes.size > 0 && changes.has(key) ? changes.get(key) : get(key)),
  set(key, presence) {
    // A user that did not change stays the same object (C24), also after several diffs of one frame that undo each other.
    const before = get(key)
    changes.set(key, same(presence, before) ? before : presence)
  },
  // Only `applyState` calls it, before it writes anything.
  keys,
})
