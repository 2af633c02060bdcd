import type { Connection } from "rollcall"
import type { RollcallInspector } from "rollcall/inspector"
import { find } from "../element.js"

/** Sets up the button that shows the inspector of a connection. It is loaded only when it is asked for. */
export function showInspect(connection: Connection): void {
  let inspector: RollcallInspector | undefined
  find("inspect").addEventListener("click", async () => {
    const { inspect } = await import("rollcall/inspector")
    inspector ??= inspect(connection)
    inspector.open = true
  })
}
