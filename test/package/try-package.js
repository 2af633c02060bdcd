/**
 * Tries the package as its users have it: packs it, installs the tarball into a copy of each example, and drives that in Chromium.
 * Prints a line for each app with its time.
 *
 * `npm run try-package` tries all, `npm run try-package -- --only react,next` those, and `--tarball file.tgz`
 * a package that was packed before. With the variable PICTURES, each page is drawn into that folder in all looks. It takes minutes,
 * most of them for installing.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { chromium } from "playwright"
import { find } from "../support/needs.js"
import { manifest } from "./consumer.js"
import { APPS } from "./try/apps.js"
import { makeProject, run } from "./try/project.js"

const { values: options } = parseArgs({ options: { only: { type: "string" }, tarball: { type: "string" } } })
const named = options.only?.split(",")
const unknown = named?.filter((name) => !APPS.some((app) => app.name === name)) ?? []
if (unknown.length > 0) {
  throw new Error(
    `expected --only ${APPS.map(({ name }) => name).join(",")}, or some of them, got ${unknown.join(",")}`,
  )
}
const apps = APPS.filter(({ name }) => named?.includes(name) ?? true)

/** What is to be ended and removed at the end, or when the program is interrupted. */
const undo = /** @type {(() => unknown)[]} */ ([])
const interrupted = new Promise((_resolve, reject) => {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => reject(new Error(`interrupted by ${signal}`)))
})
interrupted.catch(() => {})

async function undoAll(/** @type {(() => unknown)[]} */ list) {
  for (const end of list.splice(0).toReversed()) await end()
}

const secondsSince = (/** @type {number} */ begun) => `${((performance.now() - begun) / 1000).toFixed(1)} s`

/** Builds and packs the package, and returns the file. */
async function pack(/** @type {string} */ folder) {
  await run("npm", ["run", "--silent", "build"])
  await run("npm", ["pack", "--silent", "--pack-destination", folder])
  return join(folder, `rollcall-${manifest.version}.tgz`)
}

async function main() {
  const begun = performance.now()
  const folder = await mkdtemp(join(tmpdir(), "rollcall-try-"))
  undo.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const tarball = options.tarball ? resolve(options.tarball) : await pack(folder)
  const args = ["--no-sandbox", "--disable-gpu"]
  const browser = await chromium.launch({ executablePath: find("chromium") ?? "", args })
  undo.push(() => browser.close())
  console.log(`packed in ${secondsSince(begun)}`)

  let failed = 0
  for (const { name, from, attempt } of apps) {
    const started = performance.now()
    const ends = /** @type {(() => unknown)[]} */ ([])
    undo.push(() => undoAll(ends))
    try {
      await mkdir(join(folder, name))
      const project = await makeProject({ from, to: join(folder, name), tarball, undo: ends })
      const held = await attempt(project, browser)
      console.log(`ok      ${name.padEnd(12)} ${secondsSince(started).padStart(8)}  ${held.join(", ")}`)
    } catch (error) {
      failed += 1
      const report = error instanceof Error ? error.message : String(error)
      console.log(`FAILED  ${name.padEnd(12)} ${secondsSince(started).padStart(8)}\n${report}`)
    }
    await undoAll(ends)
  }
  console.log(`${apps.length - failed} passed, ${failed} failed, ${secondsSince(begun)}`)
  if (failed > 0) process.exitCode = 1
}

try {
  await Promise.race([main(), interrupted])
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await undoAll(undo)
}
process.exit() // After an interruption, the app of that moment would go on.
