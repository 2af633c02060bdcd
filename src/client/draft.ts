/** A frame's changes, laid over a view that stays as it is until they are committed: a frame is applied whole or not at all. */
import type { PresenceEntry } from "../wire/presence.ts"
import type { PresenceMap } from "./reducers.ts"

export class Draft<F extends object> implements PresenceMap<F> {
  /** Each touched key's new presence, `undefined` where the user is gone. */
  readonly changes: Map<string, PresenceEntry<F> | undefined> = new Map()
  readonly #base: Omit<PresenceMap<F>, "set">

  constructor(base: Omit<PresenceMap<F>, "set">) {
    this.#base = base
  }

  get(key: string): PresenceEntry<F> | undefined {
    // In a rejoin that finds nothing changed, the one lookup is all that a user costs.
    return this.changes.size > 0 && this.changes.has(key) ? this.changes.get(key) : this.#base.get(key)
  }

  set(key: string, presence: PresenceEntry<F> | undefined): void {
    this.changes.set(key, presence)
  }

  /** The keys under the draft: who is to be weighed against a whole state, which comes first in its frame. */
  keys(): Iterable<string> {
    return this.#base.keys()
  }
}
