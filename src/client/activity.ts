/** The signals by which `idle` is notified of a person at a device. */
import type { Undo } from "../listeners.ts"

/**
 * What has happened at a device.
 *
 * - `active`: the person has used it, or the page or the app has come to the front.
 * - `hidden`: it has gone to the background. Timers may be slow from now on.
 * - `freeze`: it is in the background, and its timers stop now.
 */
export type ActivityEvent = "active" | "hidden" | "freeze"

/**
 * Calls `notify` with each event, until the function that it returns is called. Returns `undefined` where there is nobody to watch: on
 * a server.
 */
export type Activity = (notify: (event: ActivityEvent) => void) => Undo | undefined

/** Not `scroll`, which scripts cause, too; nor `blur`: a page beside the window with the focus is still seen. */
const EVENTS = "pointerdown pointermove keydown wheel visibilitychange pageshow resume"

/** The activity of a page. */
export const pageActivity: Activity = (notify) => {
  const page = globalThis.document
  if (!page) return undefined
  const end = new AbortController()
  // Captured: a page may stop an event.
  const how = { capture: true, passive: true, signal: end.signal }
  const look = (): void => notify(page.hidden ? "hidden" : "active")
  for (const type of EVENTS.split(" ")) addEventListener(type, look, how)
  addEventListener("freeze", () => notify("freeze"), how)
  look()
  return () => end.abort()
}
