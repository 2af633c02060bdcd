import type { PresenceSelf } from "../wire/introduction.ts"
import type { Meta } from "../wire/presence-payloads.ts"
import type { Entry, Snapshot } from "./store.ts"

/**
 * Finds our own user in a room. If the application gave a key, it is the user under that key. Otherwise it is the user under the
 * key that the server has named or, if it names none, the user that has the ref of its last reply to an update.
 */
export interface Self<F extends object> {
  /** Sets the ref of our own meta, from the server's reply to an update. Ignored if the application gave a key. */
  setRef(given: unknown): void
  /**
   * Sets our own key, from a `PresenceSelf` of the server. Ignored if the application gave a key, and for another payload:
   * applications may have an event of the same name.
   */
  setKey(payload: unknown): void
  /** Returns our own user in a snapshot; `undefined` as long as it is not known or not present. */
  find(snapshot: Snapshot<F>): Entry<F> | undefined
}

export function createSelf<F extends object>(givenKey: string | undefined): Self<F> {
  let key = givenKey
  // The ref in the last reply. Cleared once the user that has it is found.
  let ref: string | undefined
  let lastSearched: Snapshot<F> | undefined
  return {
    setRef(given) {
      if (givenKey !== undefined || typeof given !== "string") return
      ref = given
      lastSearched = undefined
    },
    setKey(payload) {
      const named = Object(payload) as { readonly [field in keyof PresenceSelf]?: unknown }
      if (givenKey !== undefined || typeof named.key !== "string" || typeof named.phx_ref !== "string") return
      key = named.key
      ref = undefined
    },
    find(snapshot) {
      if (ref !== undefined && snapshot !== lastSearched) {
        lastSearched = snapshot
        // After its reply, the server may have updated the meta once more.
        const isOurs = (meta: Meta<F>): boolean => meta.phx_ref === ref || meta.phx_ref_prev === ref
        const found = snapshot.users.find(({ metas }) => metas.some(isOurs))
        if (found) {
          key = found.key
          ref = undefined
        }
      }
      return key === undefined ? undefined : snapshot.get(key)
    },
  }
}
