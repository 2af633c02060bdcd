/** The signals by which a connection is notified of the network and of the page or app. */
import type { Undo } from "../listeners.ts"

/**
 * What has happened around a connection.
 *
 * - `offline`: the device reports that it has no network. This is only a hint: some devices report it while connections work.
 * - `online`: the network is back.
 * - `awake`: the page or the app is in front again. Its connection may have died unnoticed.
 */
export type Signal = "offline" | "online" | "awake"

/** Calls `notify` with each signal, until the function that it returns is called. */
export type Signals = (notify: (signal: Signal) => void) => Undo

const EVENTS = ["offline", "online", "pageshow", "visibilitychange"]

/** The signals of a page or a web worker. Elsewhere, as in Node, there are none. */
export const pageSignals: Signals = (notify) => {
  const page: Partial<Pick<Window, "document" | "addEventListener">> = globalThis.window ?? globalThis
  const end = new AbortController()
  const listener = ({ type }: Event): void => {
    if (type === "offline" || type === "online") notify(type)
    else if (page.document?.visibilityState !== "hidden") notify("awake")
  }
  // On the same target as phoenix.js and after it, which connects again by itself in a page that is shown.
  for (const event of EVENTS) page.addEventListener?.(event, listener, end)
  return () => end.abort()
}
