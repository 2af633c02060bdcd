/**
 * Looks at the built site in a real Chromium: `npm run docs && npm run docs:check`.
 *
 * - Each page opens without an error in the console, and without a link to an anchor that it does not have.
 * - At phone and desktop width, in light, dark and forced colours, each page is right: see site-modes.js.
 * - The first page takes at most 150 kB, compressed, with all that it loads beforehand.
 * - The search finds a page. The steps of a scene go forwards by key.
 * - nginx, HAProxy and Caddy accept the configurations of the pages, as far as they are installed.
 *
 * `node test/docs/check-site.js <folder>` also stores screenshots there. `--only start,client` looks at these pages alone.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { extname, join } from "node:path"
import { gzipSync } from "node:zlib"
import { parseArgs } from "node:util"
import { chromium } from "playwright"
import { find } from "../support/needs.js"
import { checkProxies } from "./check-proxies.js"
import { checkModes } from "./site-modes.js"

const SITE = "docs/.vitepress/dist"
const MAX_BYTES = 150_000
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" }
/** The page of the cluster, which is a file of the demo. */
const CLUSTER = "cluster-in-a-page/index.html"
const DESKTOP = { viewport: { width: 1280, height: 800 } }

const {
  values: { only },
  positionals: [pictures],
} = parseArgs({ options: { only: { type: "string" } }, allowPositionals: true })
if (!existsSync(SITE)) throw new Error(`expected a built site in ${SITE}, got none: npm run docs`)
/** @type {string[]} */
const faults = []

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://site").pathname)
  const file = [path, `${path}.html`, `${path}index.html`]
    .map((name) => join(SITE, name))
    .find((name) => extname(name) && existsSync(name))
  if (file === undefined) return void response.writeHead(404).end()
  response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-encoding": "gzip" })
  response.end(gzipSync(readFileSync(file)))
})
await new Promise((listens) => server.listen(0, "127.0.0.1", () => listens(undefined)))
const address = server.address()
const origin = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : ""}`
const browser = await chromium.launch({
  executablePath: find("chromium") ?? "",
  args: ["--no-sandbox", "--disable-gpu"],
})

/** @param {object} options of the browser's context */
async function openContext(options) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(60_000)
  const page = await context.newPage()
  page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`))
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`${page.url()}: ${message.text()}`)
  })
  return { page, close: () => context.close() }
}

/** The pages of the site, as their paths. @param {string} folder @returns {string[]} */
function pagesIn(folder = "") {
  return readdirSync(join(SITE, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory())
      return ["assets", "cluster-in-a-page"].includes(entry.name) ? [] : pagesIn(join(folder, entry.name))
    return entry.name.endsWith(".html") && entry.name !== "404.html"
      ? [
          join(folder, "/", entry.name)
            .replace(/(index)?\.html$/, "")
            .replace(/^\//, ""),
        ]
      : []
  })
}

async function checkAllPages() {
  const { page, close } = await openContext(DESKTOP)
  const pages = pagesIn()
  for (const path of pages) {
    await page.goto(`${origin}/${path}`, { waitUntil: "networkidle" })
    const missing = await page.$$eval(".vp-doc a[href*='#']", (links) =>
      links
        .map((link) => new URL(/** @type {HTMLAnchorElement} */ (link).href))
        .filter(
          ({ pathname, hash }) =>
            pathname === location.pathname && !document.getElementById(decodeURIComponent(hash.slice(1))),
        )
        .map(({ hash }) => hash),
    )
    for (const hash of missing) faults.push(`/${path}: no element ${hash}`)
  }
  console.log(`${pages.length} pages opened`)
  await close()
}

async function checkWeight() {
  const { page, close } = await openContext(DESKTOP)
  const session = await page.context().newCDPSession(page)
  await session.send("Network.enable")
  let bytes = 0
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength))
  await page.goto(origin, { waitUntil: "networkidle" })
  console.log(`first page: ${(bytes / 1000).toFixed(0)} kB`)
  if (bytes > MAX_BYTES) faults.push(`expected the first page to take at most ${MAX_BYTES} bytes, got ${bytes}`)
  await close()
}

async function checkUse() {
  const { page, close } = await openContext(DESKTOP)
  await page.goto(`${origin}/how-presence-works`, { waitUntil: "networkidle" })
  const scene = page.locator(".set-steps").first()
  await scene.getByRole("button", { name: "Next" }).focus()
  for (let step = 0; step < 3; step += 1) await page.keyboard.press("ArrowRight")
  await scene.getByText("4 of").waitFor()
  await scene.getByText("user1 (n1:1)", { exact: true }).first().waitFor()
  await page.keyboard.press("Control+k")
  await page.locator("#localsearch-input").fill("growingWindow")
  await page.locator(".VPLocalSearchBox .result").first().waitFor()
  await close()
}

try {
  if (only === undefined) {
    await checkAllPages()
    await checkWeight()
    await checkUse()
    checkProxies(faults)
  }
  const cluster = existsSync(join(SITE, CLUSTER)) ? [CLUSTER] : []
  const paths = only?.split(",") ?? [...pagesIn(), ...cluster]
  await checkModes(openContext, { origin, paths, faults, pictures })
} catch (error) {
  faults.push(String(error))
} finally {
  await browser.close()
  server.close()
}
for (const fault of faults) console.error(fault)
console.log(faults.length === 0 ? "the site is as it should be" : `${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
