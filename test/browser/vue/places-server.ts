/** Renders a place as a server does. */
import { renderToString } from "vue/server-renderer"
import { createPlace } from "./places.ts"

export const render = (name: string): Promise<string> => renderToString(createPlace(name, true))
