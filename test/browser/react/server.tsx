/** Renders the application as a server does. */
import { PassThrough } from "node:stream"
import { renderToPipeableStream, renderToString } from "react-dom/server"
import type { Shown } from "../../contracts/binding-app.ts"
import { createRecorder } from "../recorder.ts"
import { App } from "./app.tsx"

const app = (first: Shown) => <App first={first} recorder={createRecorder()} />

export const toText = (shown: Shown): string => renderToString(app(shown))

export async function toStream(shown: Shown): Promise<string> {
  const chunks: string[] = []
  const pass = new PassThrough({ encoding: "utf8" })
  pass.on("data", (chunk: string) => chunks.push(chunk))
  await new Promise<void>((resolve, reject) => {
    pass.once("end", resolve)
    const { pipe } = renderToPipeableStream(app(shown), { onAllReady: () => pipe(pass), onError: reject })
  })
  return chunks.join("")
}
