/** Effects of Svelte components, for modules that Svelte does not compile. */
import { onMount, untrack } from "svelte"
import { toStore } from "svelte/store"
import type { Undo } from "../../listeners.ts"

/**
 * Calls `start` with what `source` returns while the component is mounted, and again when that is another value. What it returns is
 * called before that, and at the end.
 */
export function whileMounted<T>(source: () => T, start: (value: T) => Undo | undefined): void {
  onMount(() => {
    let last: readonly [T] | undefined
    let end: Undo | undefined
    // A module that Svelte does not compile gets an effect by a store that reads state. It is the store's getter that does the work: what
    // a subscriber throws would stop all stores of the page.
    const stop = toStore(() => {
      const value = source()
      if (last && last[0] === value) return
      last = [value]
      untrack(() => {
        end?.()
        end = undefined
        end = start(value)
      })
    }).subscribe(() => {})
    return () => {
      stop()
      end?.()
    }
  })
}
