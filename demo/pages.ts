import type { IncomingMessage, ServerResponse } from "node:http"
import { fileURLToPath } from "node:url"
import sirv from "sirv"

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Serve the demo's files, and the script-tag build, which other pages would load from a CDN. */
const files = [sirv(folder("../../demo"), { dev: true }), sirv(folder("../../dist"), { dev: true })]

/** Serves a file, or responds with 404. */
export function pages(request: IncomingMessage, response: ServerResponse): void {
  const missing = (): void => void response.writeHead(404).end("not found")
  const [demo, dist] = files
  demo?.(request, response, () => dist?.(request, response, missing))
}
