import type { Connection } from "../client/connection.ts"
import { inspect, type RollcallInspector } from "./inspector-element.ts"
import type { ObservationOptions } from "./observation.ts"

type Theme = "light" | "dark"

/** A plugin of TanStack Devtools, in the form that its core takes. */
export interface DevtoolsPlugin {
  readonly id: string
  readonly name: string
  /** Shows the inspector in an element. @param about the theme, or an object with it: it depends on the version of the devtools */
  readonly render: (parent: HTMLElement, about?: Theme | { readonly theme?: Theme }) => void
  readonly destroy: () => void
}

/**
 * Returns a plugin of TanStack Devtools that shows the inspector in a panel. It imports nothing of TanStack's.
 *
 * ```ts
 * new TanStackDevtoolsCore({ plugins: [rollcallDevtools(connection)] }).mount(element)
 * ```
 */
export function rollcallDevtools(connection: Connection, options: ObservationOptions = {}): DevtoolsPlugin {
  let shown: RollcallInspector | undefined
  const destroy = (): void => {
    shown?.remove()
    shown = undefined
  }
  return {
    id: "rollcall",
    name: "Rollcall",
    render(parent, about) {
      const theme = typeof about === "object" ? about.theme : about
      // It is called again when the theme changes: the timeline goes on.
      if (shown?.parentNode === parent) {
        if (theme) shown.setAttribute("theme", theme)
        return
      }
      destroy()
      shown = inspect(connection, { ...options, theme, parent, inline: true })
      // The panel may be low: it would hide the slider.
      shown.style.minHeight = "0"
    },
    destroy,
  }
}
