import type { PresenceSelf } from "../wire/introduction.ts"
import type { Meta } from "../wire/presence-payloads.ts"
import type { Entry, Snapshot, Store } from "./store.ts"

/**
 * Finds our own user in a room. If the application gave a key, it is the user under that key. Otherwise it is the user under the
 * key that the server has named or, if it names none, the user that has the ref of its last reply to an update.
 */
export interface Self<F extends object> {
  /** Whether the server has named our key and ref. */
  readonly isNamed: boolean
  /** Sets the ref of our own meta, from the server's reply to an update; `undefined`: it is not known any more. */
  setRef(given: string | undefined): void
  /**
   * Sets our own key and ref, from a `PresenceSelf` of the server. Ignored for another payload: applications may have an event of
   * the same name. The key is ignored if the application gave one.
   */
  setKey(payload: unknown): void
  /** Returns our own user in a snapshot; `undefined` as long as it is not known or not present. */
  find(snapshot: Snapshot<F>): Entry<F> | undefined
  /** Returns the metas of our own user, ours and those of our other devices, as far as they are known. */
  metas(store: Store<F>): readonly Meta<F>[]
  /** Whether a meta of our own user is the one of this room. */
  isOwn(meta: Meta<object>): boolean
}

export function createSelf<F extends object>(givenKey: string | undefined): Self<F> {
  let key = givenKey
  let ref: string | undefined
  let isNamed = false
  /** Whether the user that has `ref` is still to be found. */
  let isSought = false
  let lastSearched: Snapshot<F> | undefined
  // After its reply, the server may have updated the meta once more.
  const isOwn = (meta: Meta<object>): boolean => !!ref && (meta.phx_ref === ref || meta.phx_ref_prev === ref)
  return {
    get isNamed() {
      return isNamed
    },
    setRef(given) {
      ref = given
      isSought = !!given && givenKey === undefined && !isNamed
      lastSearched = undefined
    },
    setKey(payload) {
      const named = Object(payload) as { readonly [field in keyof PresenceSelf]?: unknown }
      if (typeof named.key !== "string" || typeof named.phx_ref !== "string") return
      key = givenKey ?? named.key
      ref = named.phx_ref
      isNamed = true
      isSought = false
    },
    find(snapshot) {
      if (isSought && snapshot !== lastSearched) {
        lastSearched = snapshot
        const found = snapshot.users.find(({ metas }) => metas.some(isOwn))
        if (found) {
          key = found.key
          isSought = false
        }
      }
      return key === undefined ? undefined : snapshot.get(key)
    },
    metas: (store) => (key !== undefined && store.get(key)?.metas) || [],
    isOwn,
  }
}
