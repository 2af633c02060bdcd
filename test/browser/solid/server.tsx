/** Renders the application as a server does. */
/** @jsxImportSource solid-js */
import { generateHydrationScript, renderToStream, renderToString, renderToStringAsync } from "solid-js/web"
import type { Shown } from "../../contracts/binding-app.ts"
import { createRecorder } from "../recorder.ts"
import { App } from "./app.tsx"

const app = (first: Shown) => () => <App first={first} recorder={createRecorder()} />

/** What a page has in its head, for what was clicked before it came alive. */
export const head = (): string => generateHydrationScript()

export const toText = (shown: Shown): string | Promise<string> =>
  shown.suspends ? renderToStringAsync(app(shown)) : renderToString(app(shown))

// What a stream has when all that it waits for has come. The types do not name the promise.
export const toStream = async (shown: Shown): Promise<string> =>
  await (renderToStream(app(shown)) as unknown as PromiseLike<string>)
