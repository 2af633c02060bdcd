import type { Undo } from "../../listeners.ts"

/**
 * Holds a lock of the origin from when it is granted until the controller is aborted. Resolves when it is not held any more, also if another
 * tab has taken it away.
 *
 * @param held called when the lock is granted; returns what undoes it, which is called before the lock is released
 * @param steal whether to take the lock from a tab that holds it
 */
export function holdLock(name: string, { signal }: AbortController, held: () => Undo, steal?: boolean): Promise<void> {
  const granted = (): Promise<void> | undefined =>
    signal.aborted
      ? undefined
      : new Promise((resolve) => {
          const undo = held()
          signal.addEventListener("abort", () => {
            undo()
            resolve()
          })
        })
  return (
    navigator.locks
      .request(name, steal ? { steal } : { signal }, granted)
      // A page without an origin has no locks. It has no other tabs, either.
      .catch((error: Error) => (error.name === "AbortError" ? undefined : granted()))
  )
}
