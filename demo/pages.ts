import { fileURLToPath } from "node:url"
import sirv from "sirv"

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The demo's files, and the script-tag build as a page would get it from a CDN. */
const files = [sirv(folder("../../demo"), { dev: true }), sirv(folder("../../dist"), { dev: true })]

/** Serves a file, or says 404. */
export const pages: ReturnType<typeof sirv> = (request, response) => {
  const [demo, dist] = files as [typeof pages, typeof pages]
  demo(request, response, () => dist(request, response, () => response.writeHead(404).end("not found")))
}
