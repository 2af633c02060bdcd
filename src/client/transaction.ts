/** The changes of one frame, buffered over a base that they reach only by a commit: a frame is applied whole or not at all. */
import type { PresenceEntry } from "../wire/presence-payloads.ts"
import { same } from "./metas.ts"
import type { PresenceMap } from "./reducers.ts"

export class Transaction<F extends object> implements PresenceMap<F> {
  /** The new presence of each key that was written; `undefined` removes the user. */
  readonly changes: Map<string, PresenceEntry<F> | undefined> = new Map()
  readonly #base: Omit<PresenceMap<F>, "set">

  constructor(base: Omit<PresenceMap<F>, "set">) {
    this.#base = base
  }

  get(key: string): PresenceEntry<F> | undefined {
    // The check of `size` spares a lookup: after a rejoin without changes, each user costs only the lookup in the base.
    return this.changes.size > 0 && this.changes.has(key) ? this.changes.get(key) : this.#base.get(key)
  }

  set(key: string, presence: PresenceEntry<F> | undefined): void {
    // A user that did not change stays the same object (C24), also after several diffs of one frame that undo each other.
    const before = this.#base.get(key)
    this.changes.set(key, same(presence, before) ? before : presence)
  }

  /**
   * Returns the keys of the base, without those of the changes. Only `applyState` calls it, before it writes anything.
   */
  keys(): Iterable<string> {
    return this.#base.keys()
  }
}
