import type { Undo } from "../../listeners.ts"

/** A lock of the origin, which one tab holds at a time. */
export type Lock = readonly [
  /** Waits for the lock anew, or takes it from the tab that holds it. If this tab holds it, it is released first. */
  take: (steal?: boolean) => void,
  /** Waits for it no more, or releases it. */
  release: () => void,
]

/**
 * @param held called when the lock is granted, with a signal of its end; returns what undoes it, which is called before the lock is
 * released, or when another tab has taken it away
 * @param lost called after that, if another tab has taken it away
 */
export function createLock(name: string, held: (end: AbortSignal) => Undo, lost?: () => void): Lock {
  let own: AbortController | undefined
  const release = (): void => own?.abort()
  const take = (steal?: boolean): void => {
    release()
    const mine = (own = new AbortController())
    const { signal } = mine
    const granted = (): unknown =>
      signal.aborted ||
      new Promise<void>((resolve) => {
        const undo = held(signal)
        signal.addEventListener("abort", () => {
          undo()
          resolve()
        })
      })
    void navigator.locks
      .request(name, steal ? { steal } : { signal }, granted)
      // A page that may not use locks has no other tabs.
      .catch(({ name: kind }: Error) => kind === "AbortError" || granted())
      .then(() => {
        if (signal.aborted) return
        mine.abort()
        lost?.()
      })
  }
  return [take, release]
}
