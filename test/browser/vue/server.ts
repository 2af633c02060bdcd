/** Renders the application as a server does. */
import { createSSRApp } from "vue"
import { renderToString, renderToWebStream } from "vue/server-renderer"
import type { Shown } from "../../contracts/binding-app.ts"
import { createRecorder } from "../recorder.ts"
import { App } from "./app.ts"

const app = (first: Shown) => createSSRApp(App, { first, recorder: createRecorder() })

export const toText = (shown: Shown): Promise<string> => renderToString(app(shown))

export const toStream = (shown: Shown): Promise<string> => new Response(renderToWebStream(app(shown))).text()
