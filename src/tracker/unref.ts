import type { Timers } from "../timers.ts"

/** A timer that keeps no process alive, where the platform can be told so. */
export function setUnref(timers: Timers, run: () => void, ms: number): unknown {
  const timer = timers.set(run, ms)
  ;(timer as { unref?: () => void } | undefined)?.unref?.()
  return timer
}
