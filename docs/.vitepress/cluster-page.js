/**
 * Copies the demo's page of a cluster into the site, with the files that it names. It needs no server.
 *
 * Without that page, or before `npm run build`, the site has no link to it.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"

const DEMO = "../demo"
const TARGET = "public/cluster-in-a-page"
const PAGE = "cluster.html"

rmSync(TARGET, { recursive: true, force: true })
if (existsSync(join(DEMO, PAGE))) {
  const html = readFileSync(join(DEMO, PAGE), "utf8")
  const named = Array.from(html.matchAll(/(?:src|href)="([^"#?]+)"/g), ([, path]) => normalize(path.replace(/^\//, "")))
  const files = named.filter((path) => existsSync(join(DEMO, path)) && !path.endsWith(".html"))
  for (const file of files) {
    mkdirSync(dirname(join(TARGET, file)), { recursive: true })
    cpSync(join(DEMO, file), join(TARGET, file))
  }
  const back = '<nav class="pages"><a href="../how-presence-works">How presence works</a></nav>'
  writeFileSync(join(TARGET, "index.html"), html.replace(/<nav class="pages"[^]*?<\/nav>/, back))
}
