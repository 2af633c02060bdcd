/** Renders the application as a server does. */
/** @jsxImportSource solid-js */
import { generateHydrationScript, renderToStream, renderToStringAsync } from "solid-js/web"
import type { Shown } from "../../contracts/binding-app.ts"
import { createRecorder } from "../recorder.ts"
import { App } from "./app.tsx"

const app = (first: Shown) => () => <App first={first} recorder={createRecorder()} />

/** What a page has in its head, for what was clicked before it came alive. */
export const head = (): string => generateHydrationScript()

export const toText = (shown: Shown): Promise<string> => renderToStringAsync(app(shown))

export const toStream = (shown: Shown): Promise<string> =>
  new Promise((resolve) => {
    renderToStream(app(shown)).then(resolve)
  })
