/**
 * Ends this process when the demo's server ends, however it ends: also by a crash, or by `kill -9`.
 *
 * Ctrl-C in a terminal sends SIGINT to this process, too. It is ignored: the server ends its processes itself.
 */
export function endWithParent(): void {
  process.on("disconnect", () => process.exit())
  process.on("SIGINT", () => undefined)
  if (!process.connected) process.exit()
}
