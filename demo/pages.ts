import { readFile } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { fileURLToPath } from "node:url"
import sirv from "sirv"

const path = (to: string): string => fileURLToPath(new URL(to, import.meta.url))

/** Serve the demo's files, and the script-tag build, which other pages would load from a CDN. */
const files = [sirv(path("../../demo"), { dev: true }), sirv(path("../../dist"), { dev: true })]

/** What differs in the page that is built from modules. */
const MODULES = `<p class="built">
            This page is built from modules.
            <a data-keep-room href="index.html">See the same page with a script tag</a>.
          </p>
          <script type="module" src="bundle/modules.bundle.js"></script>`

/** Serves a file, or responds with 404. */
export async function pages(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.split("?")[0] === "/modules.html") {
    const page = await readFile(path("../../demo/index.html"), "utf8")
    response.setHeader("content-type", "text/html;charset=utf-8")
    response.end(page.replace(/<!-- script tag -->[^]*<!-- end of script tag -->/, MODULES))
    return
  }
  const missing = (): void => void response.writeHead(404).end("not found")
  const [demo, dist] = files
  demo?.(request, response, () => dist?.(request, response, missing))
}
