// The demo's server, as its worker processes and its dispatcher see it.
import type { Notice } from "./messages.js"

/**
 * Ends this process when the demo's server ends, however that ends: also by a crash, or by `kill -9`.
 *
 * Ctrl-C in a terminal sends SIGINT to this process, too. It is ignored: the server ends its processes itself.
 */
export function endWithServer(): void {
  process.on("disconnect", () => process.exit())
  process.on("SIGINT", () => undefined)
  if (!process.connected) process.exit()
}

/** Sends a notice to the demo's server. One that ends at this moment does not get it. */
export function notify(notice: Notice): void {
  process.send?.(notice, undefined, undefined, () => undefined)
}
