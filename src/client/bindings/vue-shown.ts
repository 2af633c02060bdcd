/** Effects of Vue components that last while their component is shown. */
import {
  getCurrentInstance,
  getCurrentScope,
  onActivated,
  onDeactivated,
  onMounted,
  shallowRef,
  watch,
  type WatchSource,
} from "vue"
import type { Undo } from "../../listeners.ts"

/**
 * Calls `start` while the component is shown, and again when what `source` returns is another value. What it returns is called before
 * that, and at the end. A scope that is not of a component counts as shown, in a page.
 */
export function whileShown<T>(source: WatchSource<T>, start: (value: T) => Undo | undefined): void {
  const instance = getCurrentInstance() as { scope?: unknown } | null
  // A store or another `effectScope` may outlive the component that was the first to use it.
  const isOfComponent = instance && instance.scope === getCurrentScope()
  const isShown = shallowRef(!isOfComponent && "window" in globalThis)
  if (isOfComponent) {
    const show = () => void (isShown.value = true)
    onMounted(show)
    // The user of a page that `KeepAlive` keeps is not there.
    onActivated(show)
    onDeactivated(() => (isShown.value = false))
  }
  watch(
    [source, isShown] as const,
    ([value, isShown], _former, onCleanup) => {
      const end = isShown && start(value)
      if (end) onCleanup(end)
    },
    { immediate: true },
  )
}
