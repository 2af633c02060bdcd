/** Finds our own user among the users of a room. */
import type { Meta } from "../wire/presence.ts"
import type { Entry, Snapshot } from "./store.ts"

/**
 * Our own user in a room: the one under the key that the application gave; without a given key, the one that holds the
 * ref with which the server last answered an update.
 */
export class Self<F extends object> {
  readonly #givenKey: string | undefined
  #key: string | undefined
  // The ref from the last answer, until the user that holds it is found.
  #ref: string | undefined
  #lastSearched: Snapshot<F> | undefined

  constructor(key: string | undefined) {
    this.#givenKey = this.#key = key
  }

  /** The ref of our own meta, as the server answered an update with it. Ignored if the key was given. */
  setRef(ref: unknown): void {
    if (this.#givenKey !== undefined || typeof ref !== "string") return
    this.#ref = ref
    this.#lastSearched = undefined
  }

  /** Our own user in a snapshot; `undefined` as long as it is not known or not present. */
  find(snapshot: Snapshot<F>): Entry<F> | undefined {
    if (this.#ref !== undefined && snapshot !== this.#lastSearched) {
      this.#lastSearched = snapshot
      // The server may have updated the meta once more since it answered.
      const isOurs = (meta: Meta<F>): boolean => meta.phx_ref === this.#ref || meta.phx_ref_prev === this.#ref
      const found = snapshot.users.find(({ metas }) => metas.some(isOurs))
      if (found) {
        this.#key = found.key
        this.#ref = undefined
      }
    }
    return this.#key === undefined ? undefined : snapshot.get(this.#key)
  }
}
