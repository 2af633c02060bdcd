import { copyJsonObject } from "../json.ts"
import type { Timers } from "../timers.ts"
import { checkedWait, withinTime } from "./cancellation.ts"
import { instanceGone } from "./errors.ts"
import type { OwnInstance } from "./registry.ts"
import type { CallReceiver } from "./served-instance.ts"
import type { Announcement } from "./services.ts"

const DRAIN_MS = 30_000
/**
 * How long an instance drains at least, in ms. Until all nodes see that it drains, their calls still come, and are sent on to
 * other instances. If it ended at once, they would be lost.
 */
const LINGER_MS = 250

/** What an announcement needs. */
export interface AnnouncementOptions {
  /** What handles the calls of the instance; `undefined` if nothing does. */
  readonly served: CallReceiver | undefined
  readonly timers: Timers
  /** Whether other nodes can call the instance. */
  readonly canBeCalledByOthers: () => boolean
  /** Called once, when the instance has ended. */
  readonly ended: () => void
}

/** Returns what the program holds of an instance of this node. */
export function announcement<Meta extends object>(
  own: OwnInstance,
  { served, timers, canBeCalledByOthers, ended }: AnnouncementOptions,
): Announcement<Meta> {
  let isEnded = false
  let stopDrains: (() => void) | undefined
  /** Resolves when the instance ends: a drain does not wait for a handler that ignores its signal. */
  const end = new Promise<void>((resolve) => (stopDrains = resolve))
  return {
    id: own.id,
    update(meta) {
      // The function gets a copy, so that it may change that and return it. What is replicated is frozen.
      const change =
        typeof meta === "function" ? (row: object) => meta(copyJsonObject("a meta", row) as Meta) : () => meta
      own.change((row) => ({ ...row, meta: copyJsonObject("a meta", change(row.meta)) }))
    },
    drain: async ({ timeoutMs = DRAIN_MS } = {}) => {
      checkedWait("timeoutMs", timeoutMs)
      if (isEnded) return true
      own.change((row) => ({ ...row, draining: true }))
      if (served === undefined) return true
      served.isDraining = true
      const lingerMs = canBeCalledByOthers() ? Math.min(LINGER_MS, timeoutMs) : 0
      if (lingerMs > 0) await new Promise<void>((resolve) => timers.set(resolve, lingerMs))
      if (served.running > 0) await withinTime(timers, timeoutMs - lingerMs, Promise.race([served.idle(), end]))
      return served.running === 0
    },
    end: () => {
      if (isEnded) return
      isEnded = true
      // First the calls, so that their callers get an answer before they see the instance leave.
      served?.end(() => instanceGone("its calls", own.id))
      ended()
      own.end()
      stopDrains?.()
    },
  }
}
