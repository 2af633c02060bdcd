import type { PresenceSelf } from "../wire/introduction.ts"
import type { Meta } from "../wire/presence-payloads.ts"
import type { Entry, Snapshot } from "./store.ts"

/**
 * Finds our own user in a room. If the application gave a key, it is the user under that key. Otherwise it is the user under the
 * key that the server has named or, if it names none, the user that has the ref of its last reply to an update.
 */
export class Self<F extends object> {
  readonly #givenKey: string | undefined
  #key: string | undefined
  // The ref in the last reply. Cleared once the user that has it is found.
  #ref: string | undefined
  #lastSearched: Snapshot<F> | undefined

  constructor(key: string | undefined) {
    this.#givenKey = this.#key = key
  }

  /** Sets the ref of our own meta, from the server's reply to an update. Ignored if the application gave a key. */
  setRef(ref: unknown): void {
    if (this.#givenKey !== undefined || typeof ref !== "string") return
    this.#ref = ref
    this.#lastSearched = undefined
  }

  /**
   * Sets our own key, from a `PresenceSelf` of the server. Ignored if the application gave a key, and for another payload:
   * applications may have an event of the same name.
   */
  setKey(payload: unknown): void {
    const { key, phx_ref } = Object(payload) as { readonly [field in keyof PresenceSelf]?: unknown }
    if (this.#givenKey !== undefined || typeof key !== "string" || typeof phx_ref !== "string") return
    this.#key = key
    this.#ref = undefined
  }

  /** Returns our own user in a snapshot; `undefined` as long as it is not known or not present. */
  find(snapshot: Snapshot<F>): Entry<F> | undefined {
    if (this.#ref !== undefined && snapshot !== this.#lastSearched) {
      this.#lastSearched = snapshot
      // After its reply, the server may have updated the meta once more.
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
