/** The promise of a room's first view. */
import type { RollcallError } from "../error.ts"

/**
 * Returns `promise`, which returns the promise, and `settle`, which resolves it with the view, or rejects it.
 *
 * The promise is made when it is first read, because a snapshot that nobody reads should cost nothing. Once it has resolved, it
 * stays; after a rejection, the first view replaces it.
 *
 * @param view returns the current view
 */
export function createReady<View>(
  view: () => View,
): readonly [promise: () => Promise<View>, settle: (failure?: RollcallError) => void] {
  let outcome: readonly [failure?: RollcallError | undefined] | undefined
  let promise: Promise<View> | undefined
  let finish: (() => void) | undefined

  const read = (): Promise<View> => {
    if (promise) return promise
    promise = new Promise((resolve, reject) => {
      finish = () => {
        const [failure] = outcome!
        if (failure) reject(failure)
        else resolve(view())
      }
    })
    // An application that does not use the promise must not end because of it.
    promise.catch(() => {})
    if (outcome) finish?.()
    return promise
  }

  const settle = (failure?: RollcallError): void => {
    if (outcome && (failure || !outcome[0])) return
    if (outcome) promise = undefined
    outcome = [failure]
    finish?.()
  }

  return [read, settle]
}
