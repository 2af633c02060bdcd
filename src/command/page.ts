import { readFile } from "node:fs/promises"
import type { ListenOptions } from "../server/index.ts"

/** The files of the page by their paths, and their types. */
const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "./page/index.html", type: "text/html; charset=utf-8" },
  "/page.css": { file: "./page/page.css", type: "text/css; charset=utf-8" },
  "/who-is-here.js": { file: "./page/who-is-here.js", type: "text/javascript; charset=utf-8" },
  "/rollcall.min.js": { file: "../rollcall.min.js", type: "text/javascript; charset=utf-8" },
}

const HEADERS = {
  "cache-control": "no-cache",
  // Names of users come from anybody. The page shows them as text; this is the second line of defence.
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}

/** The modules of the inspector, which the page imports when it is asked for. They import one another by relative paths. */
const MODULE = /^\/modules\/((?:[a-z]+\/)?[a-z-]+\.js)$/

interface PageFile {
  readonly type: string
  readonly bytes: Buffer
}

/** Reads a module of this package. Resolves to nothing if there is none of this name. */
const readModule = (path: string): Promise<PageFile | undefined> =>
  readFile(new URL(`../${path}`, import.meta.url)).then(
    (bytes) => ({ type: "text/javascript; charset=utf-8", bytes }),
    () => undefined,
  )

/** Returns a handler of HTTP requests that serves the page for trying the open rooms, and 404 for all other paths. */
export async function loadPage(): Promise<NonNullable<ListenOptions["request"]>> {
  const read = async ([path, { file, type }]: [string, (typeof FILES)[string]]) =>
    [path, { type, bytes: await readFile(new URL(file, import.meta.url)) }] as const
  const files = new Map<string, PageFile>(await Promise.all(Object.entries(FILES).map(read)))
  const fileOf = async (path: string): Promise<PageFile | undefined> => {
    const module = MODULE.exec(path)?.[1]
    return files.get(path) ?? (module === undefined ? undefined : await readModule(module))
  }
  return (request, response) => {
    request.resume()
    const [path = ""] = (request.url ?? "").split("?")
    void fileOf(path).then((found) => {
      const isReading = request.method === "GET" || request.method === "HEAD"
      if (found === undefined || !isReading) {
        response.writeHead(found === undefined ? 404 : 405, { "content-type": "text/plain" }).end()
        return
      }
      response.writeHead(200, { ...HEADERS, "content-type": found.type, "content-length": found.bytes.length })
      response.end(request.method === "HEAD" ? undefined : found.bytes)
    })
  }
}
